using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>
/// Clause L13, INV-29: every node × every code × every field that holds one, against an oracle that walks the parent column by itself. Decided by the
/// register, never by a prefix.
/// </summary>
public sealed class A_child_speaks_only_for_its_subtree
{
    private static readonly string[] Nodes = ["4201", "429004", "42", "43", "4301", "420-X", "11", "430111"];

    /// <summary>Codes of no register: unknown, a digit too many, a digit too few.</summary>
    private static readonly string[] Strange = ["99", "42010", "4201110", "CNX"];

    [TestCase("42")]
    [TestCase("CN")]
    [TestCase("43")]
    public void In_every_field_of_every_frame(string receiver) =>
        Assert.That(Wrong(receiver, Registers.Tempting, Registers.Tempting), Is.Empty);

    [Test]
    public void A_reader_that_goes_by_prefix_is_found_out()
    {
        // The planted fault: a register in which a code hangs under the longest code that it begins with.
        var codes = Registers.Tempting.All.Select(d => d.Code.ToString()).ToArray();
        var byPrefix = DivisionRegister.Of(Registers.Tempting.All.Select(d => d with
        {
            Parent = codes.Where(c => c.Length < d.Code.ToString().Length && d.Code.ToString().StartsWith(c, StringComparison.Ordinal))
                .OrderByDescending(c => c.Length).Select(DivisionCode.Parse).Select(c => (DivisionCode?)c).FirstOrDefault(d.Parent),
        }));
        Assert.That(Wrong("42", byPrefix, Registers.Tempting), Is.Not.Empty);
    }

    /// <summary>Each case in which a receiver that goes by <paramref name="used"/> judges otherwise than <paramref name="true"/> does.</summary>
    private static List<string> Wrong(string receiver, DivisionRegister used, DivisionRegister @true)
    {
        var wrong = new List<string>();
        foreach (var node in Nodes)
        {
            var child = new Child("node", node);
            var parent = new Parent("receiver", receiver, used);
            var welcome = parent.Take(child.Peer, child.Hello()).Welcome;
            var mayJoin = node != receiver && Below(@true, node, receiver);
            if (welcome is not null != mayJoin)
            {
                wrong.Add($"{node} at {receiver}: welcome {welcome is not null}");
            }

            if (welcome is null)
            {
                continue;
            }

            child.Join(parent);
            var at = 0;
            foreach (var code in @true.All.Select(d => d.Code.ToString()).Concat(Strange))
            {
                var expected = @true.Find(DivisionCode.Parse(code)) is null ? "UNKNOWN_DIVISION" : Below(@true, code, node) ? string.Empty : "PERMISSION_DENIED";
                foreach (var (field, got) in Outcomes(parent, child, code, ref at))
                {
                    // A child states itself under its own division only.
                    var right = field == "own statement" && expected.Length == 0 && code != node ? "PERMISSION_DENIED" : expected;
                    if (got != right)
                    {
                        wrong.Add($"{node} at {receiver}, {field} {code}: '{got}' instead of '{right}'");
                    }
                }
            }

            foreach (var cell in parent.Cells.ChangedSince(Lsn.Zero, parent.Head))
            {
                if (!Below(@true, cell.Key.Division.ToString(), node))
                {
                    wrong.Add($"{node} at {receiver}: a cell of {cell.Key.Division} was applied");
                }
            }
        }

        return wrong;
    }

    private static List<(string Field, string Code)> Outcomes(Parent parent, Child child, string code, ref int at)
    {
        var cells = parent.Take(child.Peer, child.Cut(at, at + 1, [child.Cell(at + 1, 1, code), child.Cell(at + 1, 1, code, "relayed-" + code.ToLowerInvariant())])).Receipt;
        at++;
        var stated = child.Statement(at + 1) with { Division = DivisionCode.Parse(code) };
        var statements = parent.Take(child.Peer, child.Cut(at, at + 1, [], 1, 1, p => CellsPartCodec.Write(p, [], [stated, stated with { Origin = NodeId.Parse("stated-" + code.ToLowerInvariant()) }], []))).Receipt;
        at++;
        var escalations = parent.Take(child.Peer, child.Raise(at == 2 ? 0 : at - 2, at, child.Escalation(at, (byte)at, 1, e => e.Division = code))).Receipt;
        return
        [
            ("own cell", CodeOf(cells, 0)),
            ("relayed cell", CodeOf(cells, 1)),
            ("own statement", CodeOf(statements, 0)),
            ("relayed statement", CodeOf(statements, 1)),
            ("escalation", CodeOf(escalations, 0)),
        ];
    }

    private static string CodeOf(Receipt receipt, int index) => receipt.Records.SingleOrDefault(r => r.Index == index)?.Code ?? string.Empty;

    /// <summary>The oracle: up the parent column, step by step.</summary>
    private static bool Below(DivisionRegister register, string code, string ancestor)
    {
        string? at = code;
        while (at is not null && at != ancestor)
        {
            at = register.All.FirstOrDefault(d => d.Code.ToString() == at)?.Parent?.ToString();
        }

        return at is not null;
    }
}
