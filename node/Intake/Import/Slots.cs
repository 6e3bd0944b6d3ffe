namespace CityGrid.Node.Intake.Import;

/// <summary>The columns of a mapping as numbers, each column once however many fields it feeds.</summary>
internal sealed class Slots
{
    private readonly List<string> _columns = [];

    public Slots(ImportColumns columns)
    {
        Id = Slot(columns.Id)!.Value;
        Reported = Slot(columns.Reported)!.Value;
        Type = Slot(columns.Type)!.Value;
        Closed = Slot(columns.Closed);
        Due = Slot(columns.Due);
        Updated = Slot(columns.Updated);
        District = Slot(columns.District);
        Source = Slot(columns.Source);
        Status = Slot(columns.Status);
        Text = [.. columns.Text.Select(c => Slot(c)!.Value)];
        Reporter = Slot(columns.Reporter);
        Contact = Slot(columns.Contact);
        Address = Slot(columns.Address);
        Point = Slot(columns.Point);
        Latitude = Slot(columns.Latitude);
        Longitude = Slot(columns.Longitude);
    }

    public IReadOnlyList<string> Columns => _columns;

    public int Id { get; }

    public int Reported { get; }

    public int Type { get; }

    public int? Closed { get; }

    public int? Due { get; }

    public int? Updated { get; }

    public int? District { get; }

    public int? Source { get; }

    public int? Status { get; }

    public int[] Text { get; }

    public int? Reporter { get; }

    public int? Contact { get; }

    public int? Address { get; }

    public int? Point { get; }

    public int? Latitude { get; }

    public int? Longitude { get; }

    private int? Slot(string? column)
    {
        if (column is null)
        {
            return null;
        }

        if (!_columns.Contains(column))
        {
            _columns.Add(column);
        }

        return _columns.IndexOf(column);
    }
}
