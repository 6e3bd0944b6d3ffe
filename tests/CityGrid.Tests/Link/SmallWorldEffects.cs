using System.Buffers.Binary;
using System.Collections.Immutable;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Tests.Link;

/// <summary>What the parent of a small world makes of a change: its cursor and its effect, together unless a fault is planted that parts them.</summary>
internal sealed class SmallWorldEffects(Planted planted)
{
    public ParentSide Sync(ParentSide parent)
    {
        var unsynced = parent.Unsynced;
        parent = parent with { Unsynced = [] };
        foreach (var change in unsynced)
        {
            parent = Apply(parent, change, effectOnly: planted == Planted.CursorBeforeTheEffect);
        }

        return parent;
    }

    public ParentSide Apply(ParentSide parent, ReceptionChange? change, bool effectOnly = false)
    {
        if (change is null)
        {
            return parent;
        }

        var c = Array.IndexOf(SmallWorldRules.Nodes, change.Child);
        if (!effectOnly)
        {
            parent = parent with
            {
                Rows = parent.Rows.SetItem(c, ChildRow.After(parent.Rows[c], change, SmallWorldRules.Now)),
                Grants = change is EpochGrant ? parent.Grants.SetItem(c, parent.Grants[c] + 1) : parent.Grants,
            };
            if (planted == Planted.CursorBeforeTheEffect && (change is CellsTaken or EscalationsTaken))
            {
                return parent with { Unsynced = [change] };
            }
        }

        return change switch
        {
            CellsTaken taken => parent with { Cells = Merged(parent.Cells, c, taken) },
            EscalationsTaken taken => parent with { Escalations = Counted(parent.Escalations, c, taken.Part) },
            _ => parent,
        };
    }

    private ImmutableArray<ModelCell> Merged(ImmutableArray<ModelCell> held, int c, CellsTaken taken)
    {
        var cells = held.ToBuilder();
        foreach (var cell in taken.Part.Cells)
        {
            var value = BinaryPrimitives.ReadInt32LittleEndian(cell.Value.Span);
            var at = IndexOf(cells, c, cell.Code);
            var revision = new Revision(cell.Epoch, cell.Lsn);
            if (at < 0)
            {
                cells.Add(new ModelCell(c, cell.Code, revision, value));
                cells.Sort((x, y) => (x.Origin, x.Name).CompareTo((y.Origin, y.Name)));
            }
            else if (planted == Planted.DeltaForAbsolute)
            {
                cells[at] = cells[at] with { Revision = revision > cells[at].Revision ? revision : cells[at].Revision, Value = cells[at].Value + value };
            }
            else if (revision > cells[at].Revision)
            {
                cells[at] = cells[at] with { Revision = revision, Value = value };
            }
        }

        for (var i = 0; i < cells.Count && taken.Part.CompleteOrigins.Count > 0; i++)
        {
            if (cells[i].Origin == c && cells[i].Revision.Epoch < taken.Epoch.Number)
            {
                cells[i] = cells[i] with { Revision = new Revision(taken.Epoch.Number, 0), Value = 0 };
            }
        }

        return cells.ToImmutable();
    }

    private ImmutableArray<Applied> Counted(ImmutableArray<Applied> held, int c, EscalationsPart part)
    {
        foreach (var envelope in part.Escalations)
        {
            var content = Escalation.Parser.ParseFrom(envelope.Escalation);
            var name = content.Id[0];
            var at = -1;
            for (var i = 0; i < held.Length; i++)
            {
                at = held[i].Origin == c && held[i].Name == name && held[i].Version == content.Version ? i : at;
            }

            held = at < 0 ? held.Add(new Applied(c, name, content.Version, 1))
                : planted == Planted.NoDedupe ? held.SetItem(at, held[at] with { Times = held[at].Times + 1 })
                : held;
        }

        return held.Sort((x, y) => (x.Origin, x.Name, x.Version).CompareTo((y.Origin, y.Name, y.Version)));
    }

    private static int IndexOf(IReadOnlyList<ModelCell> cells, int origin, int name)
    {
        for (var i = 0; i < cells.Count; i++)
        {
            if (cells[i].Origin == origin && cells[i].Name == name)
            {
                return i;
            }
        }

        return -1;
    }
}
