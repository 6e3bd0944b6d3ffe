using System.Buffers.Binary;
using CityGrid.Protocol.Names;

namespace CityGrid.Cli.Simulation;

/// <summary>A hash over everything that is delivered and journalled in a story, in order: two runs of one seed have the same, on any machine (INV-32).</summary>
public sealed class EventHash
{
    private ulong _a = 0x243F6A8885A308D3;
    private ulong _b = 0x13198A2E03707344;

    /// <summary>Messages delivered so far.</summary>
    public long Messages { get; private set; }

    public void Add(ulong word)
    {
        unchecked
        {
            _a = (_a ^ word) * 0x9FB21C651E98DF25;
            _a ^= _a >> 32;
            _b = (_b + word) * 0xD6E8FEB86659FD93;
            _b ^= _b >> 29;
        }
    }

    public void AddMessage(long ticks, ReadOnlySpan<byte> bytes)
    {
        Messages++;
        Add((ulong)ticks);
        Add((ulong)bytes.Length);
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            Add(BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        Span<byte> last = stackalloc byte[8];
        last.Clear();
        bytes.CopyTo(last);
        Add(BinaryPrimitives.ReadUInt64LittleEndian(last));
    }

    /// <summary>The head of a journal, whose chain covers all that was ever put into it.</summary>
    public void AddHead(Lsn lsn, Hash256 chain)
    {
        Add((ulong)lsn.Value);
        Add((ulong)(chain.Low & ulong.MaxValue));
    }

    public override string ToString() => $"{_a:x16}{_b:x16}";
}
