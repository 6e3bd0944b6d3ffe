namespace CityGrid.Node.Hosting;

/// <summary>
/// The tokens in force: those of the file, read again when it has changed (looked at once a second at most). A changed file with a fault changes
/// nothing: the last good one stays, and the log says so. Safe for many threads.
/// </summary>
public sealed class TokenBook(string path, TimeProvider clock, ILogger<TokenBook> log)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private TokenFile _tokens = TokenFile.Read(path);
    private DateTime _changed = File.GetLastWriteTimeUtc(path);
    private long _looked = clock.GetTimestamp();

    /// <summary>Whose token this is, or null.</summary>
    public TokenOwner? OwnerOf(string token) => Current().OwnerOf(token);

    private TokenFile Current()
    {
        lock (_lock)
        {
            if (clock.GetElapsedTime(_looked) < LookEvery)
            {
                return _tokens;
            }

            _looked = clock.GetTimestamp();
            var changed = File.GetLastWriteTimeUtc(path);
            if (changed == _changed)
            {
                return _tokens;
            }

            _changed = changed;
            var found = TokenFile.Read(path);
            if (found.Faults.Count > 0 || SecretFiles.FaultOf("tokens", path) is not null)
            {
                Log.TokensUnusable(log, found.Faults.Count > 0 ? found.Faults[0].ToString() : "others can read the file");
            }
            else
            {
                _tokens = found;
                Log.TokensRead(log, found.Owners.Count);
            }

            return _tokens;
        }
    }
}
