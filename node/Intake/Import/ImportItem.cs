using CityGrid.Protocol.Names;
using NodaTime;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Node.Intake.Import;

/// <summary>
/// What one row of an imported file became: a case (<see cref="ImportRow"/>) or a refusal (<see cref="ImportFault"/>). Every row of the
/// file gives exactly one item, so that rows in = cases + refusals.
/// </summary>
/// <param name="RowNumber">The row as a spreadsheet counts it: the header is row 1 and the first case row 2; in NDJSON the first record is 1. 0 means the file as a whole.</param>
/// <param name="LineNumber">The line of the file on which the row starts, from 1; it differs from the row where quoted fields hold line breaks. 0 means the file as a whole.</param>
public abstract record ImportItem(long RowNumber, long LineNumber);

/// <summary>A row that was understood. Absent times stay absent: a stage that the source does not know counts nowhere.</summary>
public sealed record ImportRow(long RowNumber, long LineNumber) : ImportItem(RowNumber, LineNumber)
{
    /// <summary>The case's id in the source, trimmed.</summary>
    public required string ExternalId { get; init; }

    public required Instant ReportedAt { get; init; }

    /// <summary>Set exactly if the source's close time is valid and not before the report, and no status word voids the row.</summary>
    public Instant? ClosedAt { get; init; }

    public Instant? DueAt { get; init; }

    /// <summary>When the source last changed the row: what makes one content newer than another.</summary>
    public Instant? UpdatedAt { get; init; }

    /// <summary>Set where a status word means that the case was no case.</summary>
    public Instant? VoidedAt { get; init; }

    public required TypeCode Type { get; init; }

    /// <summary>The source's own name of the type (NFC, trimmed); null where the row had none.</summary>
    public string? TypeName { get; init; }

    /// <summary>True where <see cref="Type"/> is a local type below <c>other</c>, made because the mapping knows no code for the name.</summary>
    public bool IsLocalType { get; init; }

    public required DivisionCode Division { get; init; }

    public required SourceCode Source { get; init; }

    public required PersonalFields Personal { get; init; }

    /// <summary>SHA-256 over every mapped field but <see cref="UpdatedAt"/> and the personal ones (docs/import.md, "Content hash").</summary>
    public required Hash256 ContentHash { get; init; }

    /// <summary>What was wrong with the row and did not keep it out.</summary>
    public IReadOnlyList<ImportFault> Dirt { get; init; } = [];

    /// <summary>When the case ended, whichever way; null while it is open.</summary>
    public Instant? EndedAt => ClosedAt ?? VoidedAt;
}

/// <summary>A row that was not understood, or, in <see cref="ImportRow.Dirt"/>, a part of a row that was left out.</summary>
/// <param name="RowNumber">See <see cref="ImportItem"/>.</param>
/// <param name="LineNumber">See <see cref="ImportItem"/>.</param>
/// <param name="Column">The column of the source, or null where the whole row is meant.</param>
/// <param name="Value">The value that was refused, at most <see cref="ValueCharsMax"/> characters; always null for personal columns.</param>
/// <param name="Code">One of <see cref="ImportCode"/>.</param>
/// <param name="Message">What happened.</param>
/// <param name="Remedy">What to do about it.</param>
public sealed record ImportFault(long RowNumber, long LineNumber, string? Column, string? Value, string Code, string Message, string Remedy)
    : ImportItem(RowNumber, LineNumber)
{
    /// <summary>Enough to recognise a value, too little to carry a text away.</summary>
    public const int ValueCharsMax = 40;

    /// <summary>What else was wrong with the same row.</summary>
    public IReadOnlyList<ImportFault> Also { get; init; } = [];
}

/// <summary>What of a row is personal and is sealed before it is stored. Null where the source has nothing.</summary>
public sealed record PersonalFields(string? Text, string? Reporter, string? Contact, string? Address, GeoPoint? Point)
{
    public static readonly PersonalFields None = new(null, null, null, null, null);
}

/// <summary>A point in units of 1e-7 degree, in the datum it was given in.</summary>
public readonly record struct GeoPoint(int Latitude, int Longitude, string Datum);
