using System.Text.RegularExpressions;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Node.Hosting;

/// <summary>
/// The names of fields as JSON has them (<c>requestKey</c>). What decides is the same for gRPC, where they are as the contract has them
/// (<c>request_key</c>), and says those.
/// </summary>
internal static partial class JsonNames
{
    private static readonly Dictionary<string, string> Known = new[] { CasesReflection.Descriptor, ViewsReflection.Descriptor }
        .SelectMany(file => file.MessageTypes)
        .SelectMany(message => message.Fields.InDeclarationOrder())
        .Where(field => field.Name.Contains('_', StringComparison.Ordinal))
        .DistinctBy(field => field.Name)
        .ToDictionary(field => field.Name, field => field.JsonName, StringComparer.Ordinal);

    public static Refusal InJson(this Refusal refusal) =>
        refusal with { Message = In(refusal.Message), Where = refusal.Where is { } where ? In(where) : null };

    private static string In(string text) => JoinedWord().Replace(text, word => Known.GetValueOrDefault(word.Value, word.Value));

    [GeneratedRegex("[a-z0-9]+(?:_[a-z0-9]+)+")]
    private static partial Regex JoinedWord();
}
