using CityGrid.Hub.Cells;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>T5, T7; INV-7, INV-9, INV-16: frames of two children, lost, repeated and late, with values that go down. Random, with the real folds.</summary>
public sealed class Whatever_comes_in_whatever_order
{
    /// <summary>A step: which child, what it does, and a number for it.</summary>
    private static readonly Gen<(int Child, int Act, int Which)[]> Steps = Gen.Select(Gen.Int[0, 1], Gen.Int[0, 5], Gen.Int[0, 40]).Array[0, 120];

    [Test]
    public void The_parent_holds_at_last_what_its_children_hold() => Steps.Sample(
        steps =>
        {
            var parent = new Parent("hubei", "42", Registers.Tempting);
            var sources = new[] { new Source("wuhan", "4201"), new Source("xiantao", "429004") };
            foreach (var source in sources)
            {
                source.Child.Join(parent);
            }

            var newest = new Dictionary<CellKey, Revision>();
            foreach (var (child, act, which) in steps)
            {
                sources[child].Do(act, which, parent);
                NeverBack(parent, newest);
            }

            foreach (var source in sources)
            {
                source.Finish(parent);
                Assert.That(parent.Cells.DigestOf(source.Child.Node, Grain.Detail), Is.EqualTo(source.Cells.DigestOf(source.Child.Node, Grain.Detail)));
            }

            Assert.That(parent.Escalations.ChangedSince(Lsn.Zero, parent.Head).Count(), Is.EqualTo(sources.Sum(s => s.Raised)));
            Reloaded(parent);
        },
        iter: 300, threads: 1);

    /// <summary>INV-9.</summary>
    private static void NeverBack(Parent parent, Dictionary<CellKey, Revision> newest)
    {
        foreach (var row in parent.Cells.ChangedSince(Lsn.Zero, parent.Head))
        {
            Assert.That(newest.TryGetValue(row.Key, out var before) && row.Revision < before, Is.False);
            newest[row.Key] = row.Revision;
        }
    }

    /// <summary>A snapshot holds the whole of each fold.</summary>
    private static void Reloaded(Parent parent)
    {
        var cells = new CellFold();
        var reception = new ReceptionFold(cells);
        var escalations = new EscalationFold(parent.Settings.Node);
        Copy(parent.Reception, reception);
        Copy(parent.Escalations, escalations);
        Assert.Multiple(() =>
        {
            Assert.That(Bytes(reception), Is.EqualTo(Bytes(parent.Reception)));
            Assert.That(reception.Children.Select(c => (c.Cells.Mark, c.Escalations.Mark, c.Cells.Cut)), Is.EqualTo(parent.Reception.Children.Select(c => (c.Cells.Mark, c.Escalations.Mark, c.Cells.Cut))));
            Assert.That(Bytes(escalations), Is.EqualTo(Bytes(parent.Escalations)));
            Assert.That(escalations.Count, Is.EqualTo(parent.Escalations.Count));
        });
    }

    private static void Copy(IFold from, IFold to)
    {
        using var bytes = new MemoryStream(Bytes(from));
        to.Load(bytes);
    }

    private static byte[] Bytes(IFold fold)
    {
        using var bytes = new MemoryStream();
        fold.Save(bytes);
        return bytes.ToArray();
    }

    /// <summary>A child that makes events, cuts them into parts, and sends any frame it ever made, at any time.</summary>
    private sealed class Source(string node, string division)
    {
        private readonly List<ConnectRequest> _made = [];
        private readonly List<(long Lsn, byte Id, int Version)> _escalations = [];
        private long _lsn;

        public Child Child { get; } = new(node, division);

        public CellFold Cells { get; } = new();

        public int Raised => _escalations.Count;

        public void Do(int act, int which, Parent parent)
        {
            switch (act)
            {
                case 0:
                    _lsn++;
                    var key = Child.Cell(_lsn, 0, day: which % 5).Key;
                    var now = Cells.Find(key) is { } held ? CellCodec.Decode(held.Value.Span, out _)!.Counters.Select(c => c.Value).FirstOrDefault() : 0;
                    Cells.Add(new CellChange(key, [new CounterChange(Counter.Reported.Id, (which % 4) - now)], []), new Revision(Child.Epoch.Number, _lsn), new Lsn(_lsn));
                    break;
                case 1:
                    _lsn++;
                    var id = (byte)((which % 3) + (Child.Division.ToString().Length * 10));
                    _escalations.Add((_lsn, id, _escalations.Count(e => e.Id == id) + 1));
                    break;
                case 2:
                    _made.AddRange(Cut(parent));
                    break;
                case 3:
                    _made.AddRange(Escalations(parent));
                    break;
                default:
                    Send(which, parent);
                    break;
            }
        }

        public void Finish(Parent parent)
        {
            Child.Head = _lsn;
            Child.Join(parent);
            foreach (var request in Cut(parent).Concat(Escalations(parent)).ToList())
            {
                Assert.That(parent.Take(Child.Peer, request).Receipt, Is.Not.Null);
            }
        }

        /// <summary>Any frame ever made, again or for the first time; a refusal that ends the connection is followed by a new one.</summary>
        private void Send(int which, Parent parent)
        {
            if (_made.Count == 0)
            {
                return;
            }

            var response = parent.Take(Child.Peer, _made[which % _made.Count]);
            Assert.That(response.Refusal?.Code, Is.Null.Or.EqualTo(LinkRefusalCode.Gap));
        }

        private IEnumerable<ConnectRequest> Cut(Parent parent)
        {
            var from = parent.Reception.Child(Child.Node)!.Cells.Mark.Lsn;
            var rows = Cells.ChangedSince(from, new Lsn(_lsn)).ToList();
            var count = Math.Max(1, rows.Count);
            for (var i = 0; i < count; i++)
            {
                yield return Child.Cut(from.Value, _lsn, rows.Skip(i).Take(1), i + 1, count);
            }
        }

        private IEnumerable<ConnectRequest> Escalations(Parent parent)
        {
            var from = parent.Reception.Child(Child.Node)!.Escalations.Mark.Lsn.Value;
            foreach (var (lsn, id, version) in _escalations.Where(e => e.Lsn > from).ToList())
            {
                yield return Child.Raise(from, lsn, Child.Escalation(lsn, id, version));
                from = lsn;
            }
        }
    }
}
