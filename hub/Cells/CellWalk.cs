using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Cells;

/// <summary>Says where the cells of a type, division and source belong; negative for nowhere.</summary>
internal delegate int CellPlacing(TypeKey type, DivisionCode division, SourceCode source);

/// <summary>Is shown a cell and where it belongs; <paramref name="value"/> is gone when it returns.</summary>
internal delegate void PlacedCellVisitor(int place, StatDay day, ReadOnlySpan<byte> value);

/// <summary>
/// Shows the cells that have a place, origin by origin and day by day, piece by piece: the store may change between two pieces, and the walk goes on
/// from the day where it stood. Whoever needs all of one state asks afterwards whether something changed. The place is asked once for all cells that
/// differ by day only, so that a cell costs its bytes and no name.
/// </summary>
internal sealed class CellWalk(Func<CellStore> settled, Grain grain, (int From, int To) days, Func<NodeId, bool> origins, CellPlacing placing, PlacedCellVisitor visitor)
{
    // By series: the place and one more; 0 is not asked yet, -1 nowhere.
    private int[] _places = [];
    private CellStore _store = settled();
    private int _scope;
    private int _day = days.From;

    /// <summary>Shows whole days until at least so many cells were passed; false when there are no more.</summary>
    public bool Step(int cells)
    {
        _store = settled();
        var names = _store.Names;
        if (_places.Length < names.SeriesCount)
        {
            Array.Resize(ref _places, names.SeriesCount);
        }

        for (var passed = 0; _scope < names.Scopes.Count; (_scope, _day) = (_scope + 1, days.From))
        {
            var scope = names.Scopes[_scope];
            if (scope.Grain != grain || !origins(scope.Origin))
            {
                continue;
            }

            for (var at = scope.Days.Seek(_day); scope.Days.Step(ref at, days.To, out var day, out var bucket);)
            {
                if (passed >= cells)
                {
                    _day = day;
                    return true;
                }

                passed += Show(bucket, new StatDay(day));
            }
        }

        return false;
    }

    private int Show(int bucket, StatDay day)
    {
        var passed = 0;
        for (var cell = _store.BucketAt(bucket).First; cell >= 0; passed++)
        {
            ref var entry = ref _store.At(cell);
            ref var place = ref _places[entry.Series];
            if (place == 0)
            {
                place = PlaceOf(entry.Series);
            }

            if (place > 0 && !CellStore.IsLetGo(entry))
            {
                visitor(place - 1, day, _store.ValueOf(cell));
            }

            cell = entry.NextInDay;
        }

        return passed;
    }

    private int PlaceOf(int number)
    {
        ref readonly var series = ref _store.Names.SeriesAt(number);
        var asked = placing(_store.Names.Types[series.Type], _store.Names.Divisions[series.Division], _store.Names.Sources[series.Source]);
        return asked < 0 ? -1 : asked + 1;
    }
}
