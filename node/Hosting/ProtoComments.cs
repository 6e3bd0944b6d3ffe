using System.Text.RegularExpressions;

namespace CityGrid.Node.Hosting;

/// <summary>
/// The comments of the contract: what stands above a service, a call, a message, a field or an enum's value in the <c>.proto</c> files built into
/// this program. The generated code drops them, and they are the documentation of every field.
/// </summary>
internal sealed partial class ProtoComments
{
    private readonly Dictionary<string, string> _comments = new(StringComparer.Ordinal);

    /// <summary>Those of all files built in.</summary>
    public static ProtoComments BuiltIn { get; } = ReadBuiltIn();

    /// <summary>The comment above a full name such as <c>citygrid.v1.Cell.origin</c>; null where there is none.</summary>
    public string? Of(string fullName) => _comments.GetValueOrDefault(fullName);

    /// <summary>Adds those of one file, which is laid out as buf formats it: a declaration a line.</summary>
    public void Read(IEnumerable<string> lines)
    {
        var scope = new Stack<string>();
        var package = string.Empty;
        var waiting = new List<string>();
        foreach (var line in lines.Select(text => text.Trim()))
        {
            if (line.StartsWith("//", StringComparison.Ordinal))
            {
                waiting.Add(line[2..].Trim());
                continue;
            }

            if (Package().Match(line) is { Success: true } named)
            {
                package = named.Groups[1].Value;
            }

            var name = NameOf(line);
            if (name is not null && waiting.Count > 0)
            {
                _comments[string.Join('.', scope.Reverse().Where(part => part.Length > 0).Prepend(package).Append(name))] = string.Join(' ', waiting);
            }

            waiting.Clear();
            // A oneof and an option's braces are no scope of names; every brace is closed again.
            var opens = line.Count(c => c == '{') - line.Count(c => c == '}');
            for (; opens > 0; opens--)
            {
                scope.Push(Named().IsMatch(line) ? name! : string.Empty);
            }

            for (; opens < 0; opens++)
            {
                scope.Pop();
            }
        }
    }

    private static ProtoComments ReadBuiltIn()
    {
        var comments = new ProtoComments();
        var assembly = typeof(ProtoComments).Assembly;
        foreach (var resource in assembly.GetManifestResourceNames().Where(name => name.EndsWith(".proto", StringComparison.Ordinal)))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
            comments.Read(reader.ReadToEnd().Split('\n'));
        }

        return comments;
    }

    private static string? NameOf(string line)
    {
        if (Named().Match(line) is { Success: true } named)
        {
            return named.Groups[1].Value;
        }

        if (Call().Match(line) is { Success: true } call)
        {
            return call.Groups[1].Value;
        }

        return Field().Match(line) is { Success: true } field ? field.Groups[1].Value : null;
    }

    [GeneratedRegex(@"^package ([\w.]+);")]
    private static partial Regex Package();

    [GeneratedRegex(@"^(?:message|enum|service) (\w+)")]
    private static partial Regex Named();

    [GeneratedRegex(@"^rpc (\w+)")]
    private static partial Regex Call();

    [GeneratedRegex(@"^[\w.<>, ]*?(\w+) = -?\d+")]
    private static partial Regex Field();
}
