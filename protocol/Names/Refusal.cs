namespace CityGrid.Protocol.Names;

/// <summary>
/// A refusal as a value: a stable code, what happened in words for the person who must act, and where. Codes are upper-case words joined by
/// '_' and are never reused; protocol/README.md lists those that travel.
/// </summary>
public sealed record Refusal(string Code, string Message, string? Where = null)
{
    public override string ToString() => Where is null ? $"{Code}: {Message}" : $"{Code}: {Message} ({Where})";
}
