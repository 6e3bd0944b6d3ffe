using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Cells;

/// <summary>
/// The bytes of a snapshot: names, series, the cells in the order of their last change, and the newest change of each origin's days, in blocks that a reader takes whole. The same
/// cells in the same order give the same bytes, whatever their history.
/// </summary>
internal static class CellSnapshot
{
    private const int BlockBytes = 64 << 10;

    public static void Save(CellStore store, Stream target)
    {
        var writer = new BlockWriter(target);
        var series = new Dictionary<int, int>();
        var order = new List<int>(store.Count);
        for (var cell = store.Oldest; cell >= 0; cell = store.At(cell).Newer)
        {
            order.Add(cell);
            var number = store.At(cell).Series;
            if (series.TryAdd(number, series.Count))
            {
                WriteSeries(writer, store, number);
            }
        }

        writer.Number(0);
        writer.Number((ulong)order.Count);
        long local = 0;
        foreach (var cell in order)
        {
            WriteCell(writer, store, cell, series[store.At(cell).Series], ref local);
        }

        WriteChanges(writer, store);
        writer.Flush();
    }

    /// <summary>The store that was saved; bytes that were not throw <see cref="InvalidDataException"/>.</summary>
    public static CellStore Load(Stream source)
    {
        var reader = new BlockReader(source);
        var store = new CellStore();
        try
        {
            while (reader.Number() == 1)
            {
                ReadSeries(reader, store);
            }

            var count = checked((int)reader.Number());
            // No cell has less than its five numbers: what is announced beyond that is not there.
            store.Reserve((int)Math.Min(count, Math.Min(source.Length / 5, 1 << 24)));
            long local = 0;
            for (var i = 0; i < count; i++)
            {
                ReadCell(reader, store, ref local);
            }

            store.RestoreChanges(ReadChanges(reader, store));
        }
        catch (Exception damage) when (damage is FormatException or OverflowException or ArgumentException)
        {
            throw new InvalidDataException("The snapshot of the cells is damaged: " + damage.Message, damage);
        }

        return store;
    }

    private static void WriteSeries(BlockWriter writer, CellStore store, int number)
    {
        ref readonly var series = ref store.Names.SeriesAt(number);
        var scope = store.Names.Scopes[series.Scope];
        var type = store.Names.Types[series.Type];
        writer.Number(1);
        writer.Text(scope.Origin.ToString());
        writer.Number(scope.Grain.Number);
        writer.Text(type.Version.ToString());
        writer.Number((ulong)type.Kind);
        writer.Text(type.Code.ToString());
        writer.Text(store.Names.Divisions[series.Division].ToString());
        writer.Text(store.Names.Sources[series.Source].ToString());
        writer.EndItem();
    }

    private static void ReadSeries(BlockReader reader, CellStore store) =>
        store.Names.InternSeries(new CellKey(
            NodeId.Parse(reader.Text()),
            new Grain((byte)reader.Number()),
            new TypeKey(CatalogueVersion.Parse(reader.Text()), (TypeKind)reader.Number(), Protocol.Names.TypeCode.Parse(reader.Text())),
            DivisionCode.Parse(reader.Text()),
            default,
            SourceCode.Parse(reader.Text())));

    private static void WriteCell(BlockWriter writer, CellStore store, int cell, int series, ref long local)
    {
        ref var entry = ref store.At(cell);
        var revision = store.RevisionOf(cell);
        writer.Number((ulong)series);
        writer.Number(Varint.ZigZag(store.BucketAt(entry.Bucket).Day));
        writer.Number(Varint.ZigZag(revision.Epoch));
        writer.Number(Varint.ZigZag(revision.Lsn));
        writer.Number((ulong)(entry.Local - local));
        writer.Bytes(store.ValueOf(cell));
        writer.EndItem();
        local = entry.Local;
    }

    private static void ReadCell(BlockReader reader, CellStore store, ref long local)
    {
        var series = (int)reader.Number();
        if (series >= store.Names.SeriesCount)
        {
            throw new FormatException($"a cell names series {series} of {store.Names.SeriesCount}.");
        }

        var day = (int)Varint.UnZigZag(reader.Number());
        var revision = new Revision(Varint.UnZigZag(reader.Number()), Varint.UnZigZag(reader.Number()));
        local += (long)reader.Number();
        store.Put(series, day, revision, reader.Bytes(), local);
    }

    private static void WriteChanges(BlockWriter writer, CellStore store)
    {
        foreach (var scope in store.Names.Scopes.OrderBy(s => s.Origin).ThenBy(s => s.Grain.Number))
        {
            // A scope whose cells were all let go of has days too; one that was only named has none, and a zero ends the list.
            var days = store.ChangesOf(scope).ToList();
            if (days.Count == 0)
            {
                continue;
            }

            writer.Number((ulong)days.Count);
            writer.Text(scope.Origin.ToString());
            writer.Number(scope.Grain.Number);
            writer.EndItem();
            foreach (var (day, changed) in days)
            {
                writer.Number(Varint.ZigZag(day));
                writer.Number((ulong)changed);
                writer.EndItem();
            }
        }

        writer.Number(0);
    }

    private static IEnumerable<(Scope Scope, int Day, long Changed)> ReadChanges(BlockReader reader, CellStore store)
    {
        for (var days = reader.Number(); days > 0; days = reader.Number())
        {
            var (origin, grain) = (NodeId.Parse(reader.Text()), new Grain((byte)reader.Number()));
            var number = store.Names.FindScope(origin, grain);
            var scope = number >= 0 ? store.Names.Scopes[number] : throw new FormatException($"{origin} is said to have changed and has no cells.");
            for (; days > 0; days--)
            {
                yield return (scope, (int)Varint.UnZigZag(reader.Number()), (long)reader.Number());
            }
        }
    }

    /// <summary>Items gather in a block, which goes out with its length before it.</summary>
    private sealed class BlockWriter(Stream target)
    {
        private readonly ArrayBufferWriter<byte> _block = new();

        public void Number(ulong value) => _block.Advance(Varint.Write(_block.GetSpan(Varint.BytesMax), value));

        public void Bytes(ReadOnlySpan<byte> bytes)
        {
            Number((ulong)bytes.Length);
            _block.Write(bytes);
        }

        public void Text(string text) => Bytes(Encoding.UTF8.GetBytes(text));

        /// <summary>An item never lies across two blocks.</summary>
        public void EndItem()
        {
            if (_block.WrittenCount >= BlockBytes)
            {
                Flush();
            }
        }

        public void Flush()
        {
            Span<byte> length = stackalloc byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(length, _block.WrittenCount);
            target.Write(length);
            target.Write(_block.WrittenSpan);
            _block.ResetWrittenCount();
        }
    }

    private sealed class BlockReader(Stream source)
    {
        private byte[] _block = [];
        private int _length;
        private int _at;

        public ulong Number()
        {
            if (_at == _length)
            {
                NextBlock();
            }

            return Varint.TryRead(_block.AsSpan(0, _length), ref _at, out var value) ? value : throw new FormatException("a number is cut off.");
        }

        public ReadOnlySpan<byte> Bytes()
        {
            var length = Number();
            if (length > (ulong)(_length - _at) || length > CellCodec.BytesMax)
            {
                throw new FormatException("a value is cut off.");
            }

            _at += (int)length;
            return _block.AsSpan(_at - (int)length, (int)length);
        }

        public string Text() => Encoding.UTF8.GetString(Bytes());

        private void NextBlock()
        {
            Span<byte> prefix = stackalloc byte[sizeof(int)];
            if (source.ReadAtLeast(prefix, prefix.Length, throwOnEndOfStream: false) < prefix.Length)
            {
                throw new FormatException("it ends too early.");
            }

            var length = BinaryPrimitives.ReadInt32LittleEndian(prefix);
            if (length is <= 0 or > 4 * BlockBytes)
            {
                throw new FormatException($"a block of {length} bytes.");
            }

            // The first block of a small snapshot is its only one.
            _block = _block.Length >= length ? _block : new byte[_block.Length == 0 ? length : Math.Max(length, 2 * BlockBytes)];
            if (source.ReadAtLeast(_block.AsSpan(0, length), length, throwOnEndOfStream: false) < length)
            {
                throw new FormatException("a block is cut off.");
            }

            (_length, _at) = (length, 0);
        }
    }
}
