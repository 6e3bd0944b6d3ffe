using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>
/// SEC-04, INV-29: wherever a message of the link holds a division code, found by walking good messages by their descriptors, it is replaced by one that the
/// child may not speak of. The frame or the record is refused or kept aside with a code, and nothing of it is applied.
/// </summary>
public sealed class Every_code_in_every_message_is_judged
{
    private const string Own = "4201";

    /// <summary>Sibling, sibling's child, parent, root, a code of the same digits elsewhere, unknown, and what is no code at all.</summary>
    private static readonly string[] Others =
        ["429004", "4301", "42", "CN", "420-X", "42011", "99", "", "４２０１", "4201 ", " 4201", "4201110", "4201\0", "4201\n", "420l", "cn", "4201/42", new string('4', 33), "4290"];

    private static readonly string[] LinkCodes = [nameof(LinkRefusalCode.PermissionDenied), nameof(LinkRefusalCode.Malformed)];

    private static readonly string[] RecordCodes = ["PERMISSION_DENIED", "UNKNOWN_DIVISION", "CELL_MALFORMED", "WATERMARK_MALFORMED", "MALFORMED"];

    [TestCaseSource(nameof(Others))]
    public void Another_in_its_place_is_not_applied(string other)
    {
        var seen = 0;
        foreach (var (name, good) in Frames(new Child("wuhan", Own)))
        {
            foreach (var place in Places(good, []))
            {
                seen++;
                var parent = new Parent("hubei", "42", Registers.Tempting);
                var child = new Child("wuhan", Own);
                if (good.FrameCase != ConnectRequest.FrameOneofCase.Hello)
                {
                    child.Join(parent);
                }

                var bad = Replaced(Frames(child).Single(f => f.Name == name).Frame, place, other);
                var answer = parent.Take(child.Peer, bad);

                Assert.That(CodeOf(answer), Is.AnyOf([.. LinkCodes, .. RecordCodes]), $"{name}, {string.Join('.', place)}: {answer}");
                Assert.Multiple(() =>
                {
                    Assert.That(parent.Cells.Count, Is.Zero, $"{name}, {string.Join('.', place)}");
                    Assert.That(parent.Escalations.Count, Is.Zero);
                    Assert.That(parent.Reception.Watermarks, Is.Empty);
                    Assert.That(parent.Reception.Child(child.Node) is null, Is.EqualTo(good.FrameCase == ConnectRequest.FrameOneofCase.Hello));
                });
            }
        }

        Assert.That(seen, Is.GreaterThanOrEqualTo(5));
    }

    [Test]
    public void And_the_right_one_is()
    {
        foreach (var (name, _) in Frames(new Child("wuhan", Own)))
        {
            var parent = new Parent("hubei", "42", Registers.Tempting);
            var child = new Child("wuhan", Own);
            if (name != "hello")
            {
                child.Join(parent);
            }

            var answer = parent.Take(child.Peer, Frames(child).Single(f => f.Name == name).Frame);
            Assert.That(answer.Refusal is null && answer.Receipt?.Records.Count is null or 0, Is.True, $"{name}: {answer}");
        }
    }

    [Test]
    public void No_field_of_the_contract_that_holds_one_is_left_out()
    {
        var known = new HashSet<MessageDescriptor>();
        var fields = Closure(ConnectRequest.Descriptor, known).Concat(Closure(Escalation.Descriptor, known)).Where(f => f.Name.Contains("division", StringComparison.Ordinal)).Select(f => f.FullName);
        // A cell names its division by its place in the part's symbols.
        var reached = Frames(new Child("wuhan", Own)).SelectMany(f => Places(f.Frame, [])).Select(place => place[^1].Field.FullName).Select(f => f == "citygrid.v1.CellsPart.symbols" ? "citygrid.v1.Cell.division" : f);

        Assert.That(fields.Except(reached), Is.Empty);
    }

    private static IEnumerable<(string Name, ConnectRequest Frame)> Frames(Child child)
    {
        yield return ("hello", child.Hello());
        yield return ("own cell", child.Cut(0, 5, [child.Cell(3, 1)]));
        yield return ("relayed cell", child.Cut(0, 5, [child.Cell(3, 1, null, "jiangxia", grain: Grain.National)]));
        yield return ("own statement", child.Cut(0, 5, [], 1, 1, part => CellsPartCodec.Write(part, [], [child.Statement(5)], [])));
        yield return ("relayed statement", child.Cut(0, 5, [], 1, 1, part => CellsPartCodec.Write(part, [], [child.Statement(5) with { Origin = NodeId.Parse("jiangxia") }], [])));
        yield return ("escalation", child.Raise(0, 5, child.Escalation(3, 1)));
    }

    private static string CodeOf(ConnectResponse answer) => answer.Refusal is { } refusal ? refusal.Code.ToString() : answer.Receipt?.Records.Select(r => r.Code).SingleOrDefault() ?? "none";

    /// <summary>Where the child's own code stands, however deep: through lists, and through bytes that are a message of their own.</summary>
    private static IEnumerable<IReadOnlyList<Step>> Places(IMessage message, IReadOnlyList<Step> above)
    {
        foreach (var field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            var value = field.Accessor.GetValue(message);
            var items = field.IsRepeated ? ((System.Collections.IEnumerable)value).Cast<object>() : value is null ? [] : [value];
            var index = 0;
            foreach (var item in items)
            {
                IReadOnlyList<Step> here = [.. above, new Step(field, field.IsRepeated ? index++ : -1)];
                var inside = item switch
                {
                    string text => text == Own ? [here] : [],
                    IMessage inner => Places(inner, here),
                    ByteString bytes when field.FullName == "citygrid.v1.EscalationEnvelope.escalation" => Places(Escalation.Parser.ParseFrom(bytes), here),
                    _ => [],
                };
                foreach (var place in inside)
                {
                    yield return place;
                }
            }
        }
    }

    private static T Replaced<T>(T message, IReadOnlyList<Step> place, string other)
        where T : IMessage<T>
    {
        var copy = message.Clone();
        Replace(copy, place, 0, other);
        return copy;
    }

    private static void Replace(IMessage message, IReadOnlyList<Step> place, int at, string other)
    {
        var (field, index) = place[at];
        var list = index < 0 ? null : (System.Collections.IList)field.Accessor.GetValue(message);
        var value = list is null ? field.Accessor.GetValue(message) : list[index]!;
        object replaced = other;
        if (value is IMessage inner)
        {
            Replace(inner, place, at + 1, other);
            return;
        }

        if (value is ByteString bytes)
        {
            var escalation = Escalation.Parser.ParseFrom(bytes);
            Replace(escalation, place, at + 1, other);
            replaced = escalation.ToByteString();
        }

        if (list is null)
        {
            field.Accessor.SetValue(message, replaced);
        }
        else
        {
            list[index] = replaced;
        }
    }

    private static IEnumerable<FieldDescriptor> Closure(MessageDescriptor type, HashSet<MessageDescriptor> known) => !known.Add(type) ? [] :
        type.Fields.InFieldNumberOrder().SelectMany(field => field.FieldType == FieldType.Message ? Closure(field.MessageType, known).Prepend(field) : [field]);

    private sealed record Step(FieldDescriptor Field, int Index)
    {
        public override string ToString() => Index < 0 ? Field.Name : $"{Field.Name}[{Index}]";
    }
}
