using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace CityGrid.Tests.Fuzz;

/// <summary>An input for one of several readers, which it names: where another reader comes to be, it still goes to the same one. A message, so that changes keep its form.</summary>
internal static class NamedInput
{
    public static byte[] Of(string name, ReadOnlySpan<byte> bytes) => new Any { TypeUrl = name, Value = ByteString.CopyFrom(bytes) }.ToByteArray();

    /// <summary>Whom an input is for, and what it is; null where it names nobody.</summary>
    public static (string Name, byte[] Bytes)? Read(byte[] input)
    {
        try
        {
            return Any.Parser.ParseFrom(input) is { TypeUrl.Length: > 0 } named ? (named.TypeUrl, named.Value.ToByteArray()) : null;
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }
}
