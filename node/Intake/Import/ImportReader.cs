namespace CityGrid.Node.Intake.Import;

/// <summary>
/// Reads a file of cases by a mapping, row by row and in the file's order, with memory bounded by one record. Gzip is seen by its first bytes.
/// Every row gives one item, and whatever is wrong with the file becomes a fault with row and cause: nothing but a broken mapping throws.
/// </summary>
public static class ImportReader
{
    /// <param name="file">Read forward only and left open.</param>
    /// <param name="mapping">What the file's columns and words mean.</param>
    public static IEnumerable<ImportItem> Read(Stream file, ImportMapping mapping)
    {
        var mapper = new RowMapper(mapping);
        var source = ByteSource.Open(file, mapping.Encoding);
        RecordStream records = mapping.Format == ImportFormat.Csv
            ? new CsvRecords(source, mapper.Columns, mapping.Delimiter)
            : new NdjsonRecords(source, mapper.Columns);
        while (records.Next())
        {
            yield return records.Fault is { } fault ? fault : mapper.Map(records);
        }
    }

    /// <summary>
    /// Reads a file through without taking anything from it: the fault that would end an import of it, or null where it is whole. Done first,
    /// it keeps a damaged file from being imported in part.
    /// </summary>
    public static ImportFault? Check(Stream file, ImportMapping mapping)
    {
        var source = ByteSource.Open(file, mapping.Encoding);
        var block = new byte[64 * 1024];
        while (source.Read(block) > 0)
        {
        }

        return source.Failure is { } failure ? new ImportFault(0, 0, null, null, failure.Code, failure.Message, "Get the file again, whole.") : null;
    }
}
