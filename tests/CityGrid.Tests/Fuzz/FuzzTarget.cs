namespace CityGrid.Tests.Fuzz;

/// <summary>How the inputs of a target are built, and so how they are changed.</summary>
internal enum Shape
{
    Bytes,
    Protobuf,
    Text,
}

/// <summary>
/// Something that reads what others wrote. <see cref="Run"/> catches what it is declared to throw and answers with a word for the way that it went: an
/// input that goes a new way is kept for further changes. Whatever it lets through is a find.
/// </summary>
/// <param name="Name">Of its folder of kept inputs.</param>
/// <param name="Shape">How an input is changed.</param>
/// <param name="Runs">Changed inputs in the run of a pull request: a second or two.</param>
/// <param name="Seeds">Good inputs, made by the program itself.</param>
/// <param name="Run">Reads one input.</param>
internal sealed record FuzzTarget(string Name, Shape Shape, int Runs, Func<IReadOnlyList<byte[]>> Seeds, Func<byte[], string> Run)
{
    /// <summary>Mends lengths and check values after a change, so that what lies behind them is reached; done every other time.</summary>
    public Func<byte[], byte[]> Mend { get; init; } = bytes => bytes;

    /// <summary>Words that the format knows.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>
    /// Memory that one run may take, which bounds its work as well: a reader that goes round in circles takes memory or ends. For each byte of input so many,
    /// and 32 MB.
    /// </summary>
    public int BytesPerByte { get; init; } = 2_000;

    public override string ToString() => Name;
}

/// <summary>An input that a target did not bear, as small as it could be made.</summary>
internal sealed record Find(FuzzTarget Target, byte[] Input, Exception Failure)
{
    public override string ToString() => $"{Target.Name}: {Failure.GetType().Name}: {Failure.Message}\ninput: {Convert.ToHexString(Input)}\n{Failure.StackTrace}";
}
