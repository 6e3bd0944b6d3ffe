namespace CityGrid.Node.Intake.Import;

/// <summary>The stable codes of import faults; docs/import.md says of each what it means. Never reused.</summary>
public static class ImportCode
{
    // The file: nothing after it is read.
    public const string FileEmpty = "FILE_EMPTY";
    public const string FileUnreadable = "FILE_UNREADABLE";
    public const string FileTruncated = "FILE_TRUNCATED";
    public const string FileDamaged = "FILE_DAMAGED";
    public const string FileFormat = "FILE_FORMAT";
    public const string ColumnNotFound = "COLUMN_NOT_FOUND";
    public const string ColumnTwice = "COLUMN_TWICE";

    // A row that cannot be told apart into fields.
    public const string QuoteMisplaced = "QUOTE_MISPLACED";
    public const string QuoteNotClosed = "QUOTE_NOT_CLOSED";
    public const string RecordTooLong = "RECORD_TOO_LONG";
    public const string ColumnCount = "COLUMN_COUNT";
    public const string JsonInvalid = "JSON_INVALID";
    public const string NulByte = "NUL_BYTE";

    // A value that cannot be used, and without which there is no case.
    public const string EncodingInvalid = "ENCODING_INVALID";
    public const string ValueNotPlain = "VALUE_NOT_PLAIN";
    public const string TextTooLong = "TEXT_TOO_LONG";
    public const string IdMissing = "ID_MISSING";
    public const string IdInvalid = "ID_INVALID";
    public const string ReportedMissing = "REPORTED_MISSING";
    public const string ReportedInvalid = "REPORTED_INVALID";
    public const string TypeMissing = "TYPE_MISSING";
    public const string TypeUnknown = "TYPE_UNKNOWN";
    public const string TypeInvalid = "TYPE_INVALID";
    public const string DistrictMissing = "DISTRICT_MISSING";
    public const string DistrictUnknown = "DISTRICT_UNKNOWN";
    public const string DistrictInvalid = "DISTRICT_INVALID";

    // Dirt: the row is kept.
    public const string ClosesBeforeOpens = "CLOSES_BEFORE_OPENS";
    public const string ClosedInvalid = "CLOSED_INVALID";
    public const string DueInvalid = "DUE_INVALID";
    public const string UpdatedInvalid = "UPDATED_INVALID";
    public const string VoidWithoutTime = "VOID_WITHOUT_TIME";
    public const string PointInvalid = "POINT_INVALID";
}
