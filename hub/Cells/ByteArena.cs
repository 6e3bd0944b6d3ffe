using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Cells;

/// <summary>
/// Keeps many short byte strings in few arrays, so that a value costs its bytes, one for its length and the rounding to a block size. A string
/// that grows out of its block leaves it to the next one of that size. Addresses are whole numbers: the chunk in the upper 18 bits, the place
/// in units of 4 bytes in the lower 14, which reaches 8 GB.
/// </summary>
internal sealed class ByteArena
{
    private const int ChunkBytes = 64 << 10, UnitBits = 14, UnitMask = (1 << UnitBits) - 1;
    private static readonly int[] Sizes = MakeSizes();
    private static readonly byte[] ClassOfUnits = MakeClasses();

    private readonly List<byte[]> _chunks = [];
    private readonly int[] _free = NoneFree();
    private int _used;

    /// <summary>Bytes taken from the machine.</summary>
    public long Bytes { get; private set; }

    public ReadOnlySpan<byte> Read(int address)
    {
        var chunk = _chunks[address >> UnitBits];
        var at = (address & UnitMask) << 2;
        int length = chunk[at++];
        if (length >= 0x80)
        {
            length = (length & 0x7F) | (chunk[at++] << 7);
            if (length >= 0x4000)
            {
                length = (length & 0x3FFF) | (chunk[at++] << 14);
            }
        }

        return chunk.AsSpan(at, length);
    }

    /// <summary>Keeps the bytes, at most <see cref="CellCodec.BytesMax"/> of them, and answers where.</summary>
    public int Store(ReadOnlySpan<byte> value)
    {
        var address = Take(ClassOf(value.Length));
        Write(address, value);
        return address;
    }

    /// <summary>Puts other bytes in the place of those at <paramref name="address"/>, and answers where they now are.</summary>
    public int Replace(int address, ReadOnlySpan<byte> value)
    {
        int before = ClassOf(Read(address).Length), after = ClassOf(value.Length);
        if (before != after)
        {
            Release(address, before);
            address = Take(after);
        }

        Write(address, value);
        return address;
    }

    private void Write(int address, ReadOnlySpan<byte> value)
    {
        var target = _chunks[address >> UnitBits].AsSpan((address & UnitMask) << 2);
        var at = Varint.Write(target, (ulong)value.Length);
        value.CopyTo(target[at..]);
    }

    private int Take(int sizeClass)
    {
        var address = _free[sizeClass];
        if (address >= 0)
        {
            _free[sizeClass] = BitConverter.ToInt32(_chunks[address >> UnitBits], (address & UnitMask) << 2);
            return address;
        }

        var size = Sizes[sizeClass];
        if (_chunks.Count == 0 || _used + size > _chunks[^1].Length)
        {
            // The first chunks are small: a simulation holds hundreds of nodes with a few cells each.
            var bytes = Math.Max(size, _chunks.Count < 2 ? 4096 << (2 * _chunks.Count) : ChunkBytes);
            _chunks.Add(GC.AllocateArray<byte>(bytes, pinned: true));
            Bytes += bytes;
            _used = 0;
        }

        address = ((_chunks.Count - 1) << UnitBits) | (_used >> 2);
        _used += size;
        return address;
    }

    private void Release(int address, int sizeClass)
    {
        BitConverter.TryWriteBytes(_chunks[address >> UnitBits].AsSpan((address & UnitMask) << 2), _free[sizeClass]);
        _free[sizeClass] = address;
    }

    private static int ClassOf(int length) => ClassOfUnits[(length + Varint.Length((ulong)length) + 3) >> 2];

    /// <summary>Multiples of 4 bytes up to 64, then steps of an eighth: at most 12 % of a block is air.</summary>
    private static int[] MakeSizes()
    {
        var sizes = new List<int>();
        for (var size = 4; size < ChunkBytes; size += Math.Max(4, size / 8 / 4 * 4))
        {
            sizes.Add(size);
        }

        sizes.Add(ChunkBytes);
        return [.. sizes];
    }

    private static byte[] MakeClasses()
    {
        var classes = new byte[(ChunkBytes >> 2) + 1];
        byte sizeClass = 0;
        for (var units = 0; units < classes.Length; units++)
        {
            if (Sizes[sizeClass] < units << 2)
            {
                sizeClass++;
            }

            classes[units] = sizeClass;
        }

        return classes;
    }

    private static int[] NoneFree()
    {
        var free = new int[Sizes.Length];
        Array.Fill(free, -1);
        return free;
    }
}
