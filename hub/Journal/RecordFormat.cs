using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Hub.Journal;

/// <summary>
/// The bytes of one record, little-endian: length, CRC-32C of all the rest, position of the first event, recorded-at in Unix ticks of 100 ns, hash
/// of the previous record, number of events, length of the actor, the actor, and the events {kind, schema, payload length, payload}. The chain hash
/// after a record is the SHA-256 of these bytes, so it is the same in every journal that was given the same records.
/// </summary>
internal static class RecordFormat
{
    public const int FixedBytes = 60;
    public const int EventBytes = 8;
    public const int ActorBytesMax = 512;

    private const int CrcAt = 4;
    private const int FirstAt = 8;
    private const int TicksAt = 16;
    private const int PreviousAt = 24;
    private const int EventsAt = 56;
    private const int ActorAt = 58;

    /// <summary>What is wrong with a record that cannot be kept, or null.</summary>
    public static string? Problem(RecordDraft record)
    {
        if (record.Events.Count is 0 or > RecordDraft.EventsMax)
        {
            return $"a record has 1 to {RecordDraft.EventsMax} events, this one has {record.Events.Count}";
        }

        if (Encoding.UTF8.GetByteCount(record.Actor) > ActorBytesMax)
        {
            return $"an actor has at most {ActorBytesMax} bytes";
        }

        var size = Size(record);
        return size > JournalLimits.RecordBytesMax ? $"a record has at most {JournalLimits.RecordBytesMax} bytes, this one has {size}" : null;
    }

    public static long Size(RecordDraft record)
    {
        long size = FixedBytes + Encoding.UTF8.GetByteCount(record.Actor);
        for (var i = 0; i < record.Events.Count; i++)
        {
            size += EventBytes + record.Events[i].Payload.Length;
        }

        return size;
    }

    /// <summary>Writes the record to the front of <paramref name="target"/> and returns its length.</summary>
    public static int Write(Span<byte> target, RecordDraft record, Lsn first, long ticks, in Hash256 previous)
    {
        BinaryPrimitives.WriteInt64LittleEndian(target[FirstAt..], first.Value);
        BinaryPrimitives.WriteInt64LittleEndian(target[TicksAt..], ticks);
        previous.WriteTo(target[PreviousAt..]);
        BinaryPrimitives.WriteUInt16LittleEndian(target[EventsAt..], (ushort)record.Events.Count);
        var actorBytes = Encoding.UTF8.GetBytes(record.Actor, target[FixedBytes..]);
        BinaryPrimitives.WriteUInt16LittleEndian(target[ActorAt..], (ushort)actorBytes);
        var at = FixedBytes + actorBytes;
        for (var i = 0; i < record.Events.Count; i++)
        {
            var (kind, schema, payload) = record.Events[i];
            BinaryPrimitives.WriteUInt16LittleEndian(target[at..], kind);
            BinaryPrimitives.WriteUInt16LittleEndian(target[(at + 2)..], schema);
            BinaryPrimitives.WriteInt32LittleEndian(target[(at + 4)..], payload.Length);
            payload.Span.CopyTo(target[(at + EventBytes)..]);
            at += EventBytes + payload.Length;
        }

        BinaryPrimitives.WriteInt32LittleEndian(target, at);
        BinaryPrimitives.WriteUInt32LittleEndian(target[CrcAt..], CheckValue(target[..at]));
        return at;
    }

    /// <summary>The length that a record at the front of these bytes says it has; 0 where no record can stand there.</summary>
    public static int LengthAt(ReadOnlySpan<byte> bytes)
    {
        var length = bytes.Length < FixedBytes ? 0 : BinaryPrimitives.ReadInt32LittleEndian(bytes);
        return length >= FixedBytes + EventBytes && length <= bytes.Length && length <= JournalLimits.RecordBytesMax ? length : 0;
    }

    public static uint StoredCheckValue(ReadOnlySpan<byte> record) => BinaryPrimitives.ReadUInt32LittleEndian(record[CrcAt..]);

    /// <summary>The CRC-32C of everything but itself.</summary>
    public static uint CheckValue(ReadOnlySpan<byte> record) => Crc32C.Of(record[FirstAt..], Crc32C.Of(record[..CrcAt]));

    public static Lsn First(ReadOnlySpan<byte> record) => new(BinaryPrimitives.ReadInt64LittleEndian(record[FirstAt..]));

    public static int Events(ReadOnlySpan<byte> record) => BinaryPrimitives.ReadUInt16LittleEndian(record[EventsAt..]);

    public static Hash256 Previous(ReadOnlySpan<byte> record) => Hash256.FromBytes(record.Slice(PreviousAt, Hash256.Size));

    /// <summary>
    /// Reads a record whose check value is right. The payloads are a copy of their own, so a fold may keep them. Null where the parts do not add up,
    /// which no crash and no flipped bit explains.
    /// </summary>
    public static JournalRecord? Read(ReadOnlySpan<byte> record, in Hash256 hash, ActorNames actors)
    {
        var first = First(record);
        var count = Events(record);
        var actorBytes = BinaryPrimitives.ReadUInt16LittleEndian(record[ActorAt..]);
        var ticks = BinaryPrimitives.ReadInt64LittleEndian(record[TicksAt..]);
        if (count == 0 || first.Value < 1 || FixedBytes + actorBytes > record.Length || ticks < TicksOf(Instant.MinValue) || ticks > TicksOf(Instant.MaxValue))
        {
            return null;
        }

        var actor = actors.Of(record.Slice(FixedBytes, actorBytes));
        var at = InstantOf(ticks);
        var body = record[(FixedBytes + actorBytes)..].ToArray();
        var last = new Lsn(first.Value + count - 1);
        var events = new JournalEvent[count];
        var offset = 0;
        for (var i = 0; i < count; i++)
        {
            if (body.Length - offset < EventBytes)
            {
                return null;
            }

            var kind = BinaryPrimitives.ReadUInt16LittleEndian(body.AsSpan(offset));
            var schema = BinaryPrimitives.ReadUInt16LittleEndian(body.AsSpan(offset + 2));
            var length = BinaryPrimitives.ReadInt32LittleEndian(body.AsSpan(offset + 4));
            offset += EventBytes;
            if (length < 0 || length > body.Length - offset)
            {
                return null;
            }

            events[i] = new(new(first.Value + i), first, last, at, actor, kind, schema, body.AsMemory(offset, length));
            offset += length;
        }

        return offset == body.Length ? new JournalRecord(at, actor, Previous(record), hash, ImmutableCollectionsMarshal.AsImmutableArray(events)) : null;
    }

    /// <summary>Unix ticks of 100 ns: what a journal keeps of an instant.</summary>
    public static long TicksOf(Instant at) => at.ToUnixTimeTicks();

    public static Instant InstantOf(long ticks) => Instant.FromUnixTimeTicks(ticks);
}

/// <summary>The names of actors met lately, so that a replay makes no string a record.</summary>
internal sealed class ActorNames
{
    private const int NamesMax = 1024;

    private readonly Dictionary<ulong, string> _names = [];

    public string Of(ReadOnlySpan<byte> bytes)
    {
        var key = unchecked(((ulong)Crc32C.Of(bytes) << 32) | (uint)bytes.Length);
        Span<byte> known = stackalloc byte[RecordFormat.ActorBytesMax];
        if (_names.TryGetValue(key, out var name)
            && Encoding.UTF8.TryGetBytes(name, known, out var length) && known[..length].SequenceEqual(bytes))
        {
            return name;
        }

        name = Encoding.UTF8.GetString(bytes);
        if (_names.Count >= NamesMax)
        {
            _names.Clear();
        }

        _names[key] = name;
        return name;
    }
}
