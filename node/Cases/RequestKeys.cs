using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Cases;

/// <summary>
/// The request keys of case creation, kept for ever: a key's first content decides, the same content again gets the same case, other content is an
/// error (features.md I5). A key is kept as the first 16 bytes of its SHA-256, 48 B a key in all, so 1 M keys take about 60 MB.
/// </summary>
public sealed class RequestKeys
{
    private const int SlotsAtFirst = 1024;

    private Slot[] _slots = new Slot[SlotsAtFirst];

    public int Count { get; private set; }

    /// <summary>The case that a key made and a digest of the content it came with; null for a key not seen.</summary>
    public KeyUse? Find(UInt128 keyHash)
    {
        var (high, low) = WordsOf(keyHash);
        ref var slot = ref SlotOf(_slots, high, low);
        return slot.IsFree ? null : new KeyUse(new CaseId(new UInt128(slot.CaseHigh, slot.CaseLow)), slot.Content, slot.Sealed);
    }

    /// <summary>Keeps a key. One that is kept already takes the new content digest: an import may bring newer content for a known row.</summary>
    /// <param name="keyHash">The first 16 bytes of the key's SHA-256.</param>
    /// <param name="id">The case that it made.</param>
    /// <param name="content">The digest of what it came with.</param>
    /// <param name="sealedUnder">The slot of the key that the digest is keyed with (<see cref="KeyUse.Slot"/>). Once the person is erased it stays so.</param>
    public void Keep(UInt128 keyHash, CaseId id, ulong content, long sealedUnder = 0)
    {
        if ((long)Count * 100 >= (long)_slots.Length * 80)
        {
            Grow();
        }

        var (high, low) = WordsOf(keyHash);
        ref var slot = ref SlotOf(_slots, high, low);
        if (slot.IsFree)
        {
            Count++;
        }

        slot = new Slot(high, low, (ulong)(id.Value >> 64), (ulong)(id.Value & ulong.MaxValue), content, slot.Sealed == KeyUse.Erased ? KeyUse.Erased : sealedUnder);
    }

    /// <summary>The person whom the key's row speaks of was erased. A key that is not kept is none of a row's.</summary>
    public void Erase(UInt128 keyHash)
    {
        var (high, low) = WordsOf(keyHash);
        ref var slot = ref SlotOf(_slots, high, low);
        if (!slot.IsFree)
        {
            slot = slot with { Sealed = KeyUse.Erased };
        }
    }

    /// <summary>Little-endian: the count, then six 64-bit words a key.</summary>
    public void Save(Stream target)
    {
        Span<byte> head = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(head, Count);
        target.Write(head);
        foreach (ref readonly var slot in _slots.AsSpan())
        {
            if (!slot.IsFree)
            {
                target.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<Slot>(in slot)));
            }
        }
    }

    public void Load(Stream source)
    {
        Span<byte> head = stackalloc byte[8];
        source.ReadExactly(head);
        var count = checked((int)BinaryPrimitives.ReadInt64LittleEndian(head));
        if (count < 0 || count > (source.Length - source.Position) / Unsafe.SizeOf<Slot>())
        {
            throw new InvalidDataException($"{count} request keys are announced in {source.Length - source.Position} bytes.");
        }

        _slots = new Slot[Math.Max(SlotsAtFirst, checked((int)((long)count * 100 / 65)))];
        Count = count;
        var page = new Slot[Math.Min(count, 2048)];
        for (var left = count; left > 0;)
        {
            var take = page.AsSpan(0, Math.Min(left, page.Length));
            source.ReadExactly(MemoryMarshal.AsBytes(take));
            foreach (ref readonly var kept in take)
            {
                SlotOf(_slots, kept.KeyHigh, kept.KeyLow) = kept;
            }

            left -= take.Length;
        }
    }

    /// <summary>The low word is never zero, which marks a free slot.</summary>
    private static (ulong High, ulong Low) WordsOf(UInt128 keyHash) => ((ulong)(keyHash >> 64), (ulong)(keyHash & ulong.MaxValue) | 1);

    private static ref Slot SlotOf(Slot[] slots, ulong high, ulong low)
    {
        var at = (int)(uint)Math.BigMul(high, (ulong)slots.Length, out _);
        while (true)
        {
            ref var slot = ref slots[at];
            if (slot.IsFree || (slot.KeyHigh == high && slot.KeyLow == low))
            {
                return ref slot;
            }

            at = at + 1 == slots.Length ? 0 : at + 1;
        }
    }

    private void Grow()
    {
        var larger = new Slot[checked((int)((long)_slots.Length * 3 / 2))];
        foreach (ref readonly var slot in _slots.AsSpan())
        {
            if (!slot.IsFree)
            {
                SlotOf(larger, slot.KeyHigh, slot.KeyLow) = slot;
            }
        }

        _slots = larger;
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Slot(ulong KeyHigh, ulong KeyLow, ulong CaseHigh, ulong CaseLow, ulong Content, long Sealed)
    {
        public bool IsFree
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => KeyLow == 0;
        }
    }
}

/// <summary>What a request key was used for.</summary>
/// <param name="Case">The case that it made.</param>
/// <param name="Content">The digest of the content that it came with.</param>
/// <param name="Slot">
/// Of an imported row: the slot of the key that the digest is keyed with, which is the one that its personal part is sealed under; 0 where it has none, and the
/// digest is keyed with the node's own; <see cref="Erased"/> where the person was erased. 0 for every other request.
/// </param>
public readonly record struct KeyUse(CaseId Case, ulong Content, long Slot = 0)
{
    public const long Erased = -1;
}
