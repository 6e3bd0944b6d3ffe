using System.Security.Cryptography;
using System.Text;
using CityGrid.Node.Configuration;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Hosting;

/// <summary>What a bearer of a token may do; a token has one or more.</summary>
public enum Role
{
    /// <summary>Views, lists and cases without personal data.</summary>
    Viewer,

    /// <summary>Takes in cases, works them, and sees what reporters said; and what a viewer sees.</summary>
    Operator,

    /// <summary>What concerns the node: digests, sending now, what is kept aside; and what a viewer sees. No cases are worked with it alone.</summary>
    Admin,
}

/// <summary>Who a token belongs to. The actor is recorded with everything done.</summary>
public sealed record TokenOwner(string Actor, IReadOnlyList<Role> Roles);

/// <summary>
/// The file of bearer tokens: a line is <c>actor roles token</c>, roles joined by commas; a token is 32 to 200 characters of
/// <c>[A-Za-z0-9_-]</c>, or <c>sha256:</c> and the 64 hex digits of its hash. Empty lines and those that start with '#' mean nothing.
/// </summary>
public sealed class TokenFile
{
    /// <summary>A place has some dozens of programs and desks; each call compares with all of them, 32 bytes each.</summary>
    public const int TokensMax = 1_000;

    private const int TokenLengthMax = 200;

    private const string HashPrefix = "sha256:";

    private readonly List<(byte[] Hash, TokenOwner Owner)> _owners = [];

    private TokenFile()
    {
    }

    /// <summary>What is wrong with the file; a line with a fault grants nothing.</summary>
    public IReadOnlyList<ConfigurationFault> Faults { get; private set; } = [];

    public IReadOnlyList<TokenOwner> Owners => [.. _owners.Select(entry => entry.Owner)];

    public static TokenFile Read(string path)
    {
        try
        {
            return Parse(File.ReadLines(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new TokenFile { Faults = [new("tokens", $"\"{path}\"", "the file cannot be read by the node's user")] };
        }
    }

    public static TokenFile Parse(IEnumerable<string> lines)
    {
        var file = new TokenFile();
        var faults = new List<ConfigurationFault>();
        var number = 0;
        foreach (var line in lines)
        {
            number++;
            var words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length == 0 || words[0].StartsWith('#'))
            {
                continue;
            }

            // The words themselves are never shown: one of them is a secret.
            if (file.Add(words) is { } wrong)
            {
                faults.Add(new ConfigurationFault($"tokens, line {number}", "not usable", wrong));
            }
        }

        file.Faults = faults;
        return file;
    }

    /// <summary>Whose token this is, or null. Takes the same time whichever token is compared, and whether or not there is one.</summary>
    public TokenOwner? OwnerOf(string token)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        Span<byte> text = stackalloc byte[TokenLengthMax];
        Hash256.Of(Encoding.UTF8.TryGetBytes(token, text, out var bytes) ? text[..bytes] : Encoding.UTF8.GetBytes(token)).WriteTo(hash);
        TokenOwner? owner = null;
        foreach (var entry in _owners)
        {
            owner = CryptographicOperations.FixedTimeEquals(entry.Hash, hash) ? entry.Owner : owner;
        }

        return owner;
    }

    public static string HashOf(string token) => HashPrefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    private string? Add(string[] words)
    {
        if (words is not [var actor, var roleNames, var token])
        {
            return "a line is: actor roles token";
        }

        if (actor.Length > 64 || !actor.All(c => char.IsLetterOrDigit(c) || c is '.' or '_' or '-' or '@'))
        {
            return "an actor is 1 to 64 letters, digits, '.', '_', '-' and '@'";
        }

        var roles = new List<Role>();
        foreach (var name in roleNames.Split(','))
        {
            if (name is not ("viewer" or "operator" or "admin"))
            {
                return "roles are viewer, operator and admin, joined by commas";
            }

            roles.Add(Enum.Parse<Role>(name, ignoreCase: true));
        }

        if (HashIn(token) is not { } hash)
        {
            return "a token is 32 to 200 characters of A-Z, a-z, 0-9, '_' and '-', or sha256: and 64 hex digits";
        }

        if (_owners.Count == TokensMax)
        {
            return $"at most {TokensMax} tokens are allowed";
        }

        if (_owners.Exists(entry => entry.Hash.AsSpan().SequenceEqual(hash)))
        {
            return "the same token stands on a line above";
        }

        _owners.Add((hash, new TokenOwner(actor, roles)));
        return null;
    }

    private static byte[]? HashIn(string token)
    {
        if (token.StartsWith(HashPrefix, StringComparison.Ordinal))
        {
            var digits = token[HashPrefix.Length..];
            return digits.Length == 64 && digits.All(char.IsAsciiHexDigit) ? Convert.FromHexString(digits) : null;
        }

        return token.Length is >= 32 and <= TokenLengthMax && token.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-')
            ? SHA256.HashData(Encoding.UTF8.GetBytes(token))
            : null;
    }
}
