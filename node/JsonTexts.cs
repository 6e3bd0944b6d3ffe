using System.Text;
using System.Text.Json;

namespace CityGrid.Node;

/// <summary>
/// JSON may spell half of a character (an escape from \uD800 to \uDFFF without its other half); the library reads such a document and throws as the text is
/// asked for. So it is looked for before.
/// </summary>
internal static class JsonTexts
{
    /// <summary>Where the first text that is no text stands, as a line; null where all are whole. The document is JSON.</summary>
    public static long? FirstHalf(string json, JsonReaderOptions options)
    {
        var bytes = Encoding.UTF8.GetBytes(json);
        var reader = new Utf8JsonReader(bytes, options);
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String && reader.ValueIsEscaped && !IsWhole(ref reader))
            {
                return bytes.AsSpan(0, (int)reader.TokenStartIndex).Count((byte)'\n') + 1;
            }
        }

        return null;
    }

    private static bool IsWhole(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString() is not null;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
