using System.Security.Cryptography;
using System.Text;

namespace CityGrid.Hub.Backup;

/// <summary>Where the operator's secret comes from; numbers are never reused.</summary>
public enum BackupKeySource : byte
{
    /// <summary>32 random bytes that the operator keeps.</summary>
    Key = 1,

    /// <summary>Words that the operator knows, stretched by PBKDF2 with SHA-256.</summary>
    Passphrase = 2,
}

/// <summary>
/// The secret under which backups are written and read; it is kept by the operator, apart from both the node and the backups. No backup is encrypted
/// under it directly: each has a key of its own, derived with the salt of its header.
/// </summary>
public sealed class BackupKey
{
    public const int KeyBytes = 32;

    /// <summary>Fewer characters are guessed in an afternoon, stretched or not.</summary>
    public const int PassphraseLengthMin = 16;

    /// <summary>OWASP's figure for PBKDF2 with SHA-256 (2023): about 0.2 s on one core.</summary>
    public const int Iterations = 600_000;

    private const string FilePrefix = "citygrid-backup-key ";

    private readonly byte[] _secret;

    private BackupKey(BackupKeySource source, byte[] secret) => (Source, _secret) = (source, secret);

    public BackupKeySource Source { get; }

    /// <summary>A key of <see cref="KeyBytes"/> random bytes.</summary>
    public static BackupKey OfBytes(ReadOnlySpan<byte> key) => key.Length == KeyBytes
        ? new(BackupKeySource.Key, key.ToArray())
        : throw new ArgumentException($"A key has {KeyBytes} bytes, this one has {key.Length}.", nameof(key));

    /// <summary>
    /// Reads what stands in a secret file: a key as <see cref="ToText"/> writes it, or else a passphrase on one line. Null, and why, where it is neither.
    /// </summary>
    public static BackupKey? Parse(string text, out string fault)
    {
        var line = text.Trim();
        fault = string.Empty;
        if (line.StartsWith(FilePrefix, StringComparison.Ordinal))
        {
            try
            {
                return OfBytes(Convert.FromHexString(line[FilePrefix.Length..]));
            }
            catch (Exception wrong) when (wrong is FormatException or ArgumentException)
            {
                fault = $"after \"{FilePrefix.Trim()}\" there must be {KeyBytes * 2} hexadecimal digits";
                return null;
            }
        }

        if (line.AsSpan().ContainsAny('\n', '\r') || line.EnumerateRunes().Count() < PassphraseLengthMin)
        {
            fault = $"a passphrase is one line of at least {PassphraseLengthMin} characters";
            return null;
        }

        try
        {
            return new BackupKey(BackupKeySource.Passphrase, Encoding.UTF8.GetBytes(line.Normalize(NormalizationForm.FormC)));
        }
        catch (ArgumentException)
        {
            fault = "the passphrase has a character that is none, such as U+FFFE";
            return null;
        }
    }

    /// <summary>The text of a key file.</summary>
    public static string ToText(ReadOnlySpan<byte> key) => $"{FilePrefix}{Convert.ToHexStringLower(key)}\n";

    /// <summary>The two keys of one file: what encrypts it, and what tells a wrong secret from a damaged file.</summary>
    internal (byte[] Data, byte[] Check) Derive(ReadOnlySpan<byte> salt, int iterations)
    {
        var master = Source == BackupKeySource.Key ? _secret : Rfc2898DeriveBytes.Pbkdf2(_secret, salt, iterations, HashAlgorithmName.SHA256, KeyBytes);
        var saltBytes = salt.ToArray();
        return (
            HKDF.DeriveKey(HashAlgorithmName.SHA256, master, KeyBytes, saltBytes, "citygrid/backup/1/data"u8.ToArray()),
            HKDF.DeriveKey(HashAlgorithmName.SHA256, master, KeyBytes, saltBytes, "citygrid/backup/1/check"u8.ToArray()));
    }
}
