using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Identity;

/// <summary>From when to when all certificates of a chain hold.</summary>
internal readonly record struct ChainTimes(DateTimeOffset From, DateTimeOffset To)
{
    public static ChainTimes Of(X509Chain chain) =>
        new(chain.ChainElements.Max(e => new DateTimeOffset(e.Certificate.NotBefore)), chain.ChainElements.Min(e => new DateTimeOffset(e.Certificate.NotAfter)));

    public bool Include(DateTimeOffset now) => From <= now && now <= To;
}

/// <summary>
/// What was taken of certificates that are shown again and again, under one trust: to build a chain takes a tenth of a handshake, and a parent would do it three
/// times for each child that comes back. Only what was taken is kept, by the bytes of all that was shown, and no longer than the chain holds. Whether the one whom
/// it names is let in is not decided here, and is asked each time. For many threads.
/// </summary>
internal sealed class KeptVerdicts<T>
    where T : class
{
    /// <summary>More than a parent has children; a stranger cannot fill it, for what is refused is not kept.</summary>
    private const int Most = 1024;

    private readonly Dictionary<Hash256, (T Verdict, ChainTimes Times)> _kept = [];
    private readonly Lock _lock = new();

    /// <summary>What of these certificates stands for; the same bytes in the same order, and no others.</summary>
    public static Hash256 MarkOf(IEnumerable<ReadOnlyMemory<byte>> certificates)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach (var certificate in certificates)
        {
            BinaryPrimitives.WriteInt32LittleEndian(length, certificate.Length);
            hash.AppendData(length);
            hash.AppendData(certificate.Span);
        }

        Span<byte> mark = stackalloc byte[Hash256.Size];
        hash.GetHashAndReset(mark);
        return Hash256.FromBytes(mark);
    }

    /// <summary>Null where nothing is kept that holds now.</summary>
    public T? Find(Hash256 shown, DateTimeOffset now)
    {
        lock (_lock)
        {
            return _kept.TryGetValue(shown, out var kept) && kept.Times.Include(now) ? kept.Verdict : null;
        }
    }

    public void Keep(Hash256 shown, T verdict, ChainTimes times)
    {
        lock (_lock)
        {
            if (_kept.Count >= Most)
            {
                _kept.Clear();
            }

            _kept[shown] = (verdict, times);
        }
    }
}
