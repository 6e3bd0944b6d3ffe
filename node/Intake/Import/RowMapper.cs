using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using NodaTime;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Node.Intake.Import;

/// <summary>
/// Turns the values of a record into a case by the rules of the mapping, or says everything that keeps it from being one. A function of
/// the record alone: the same row gives the same case in every run.
/// </summary>
internal sealed class RowMapper
{
    /// <summary>The most characters of the name of a type or district.</summary>
    private const int NameCharsMax = TextLimits.TypeName;

    private readonly ImportMapping _mapping;
    private readonly DateFormats _dates;
    private readonly Slots _slots;
    private readonly TypeNames _types;
    private readonly DistrictNames _districts;
    private readonly RowHash _hash = new();
    private readonly List<ImportFault> _faults = [];
    private readonly List<ImportFault> _dirt = [];
    private RecordStream _record = null!;

    public RowMapper(ImportMapping mapping)
    {
        _mapping = mapping;
        _dates = new DateFormats(mapping.DateFormats, mapping.Zone);
        _slots = new Slots(mapping.Columns);
        _types = new TypeNames(mapping.Types);
        _districts = new DistrictNames(mapping.City, mapping.Districts);
    }

    /// <summary>The columns that a record must bring, in the order of its slots.</summary>
    public IReadOnlyList<string> Columns => _slots.Columns;

    public ImportItem Map(RecordStream record)
    {
        _record = record;
        _faults.Clear();
        _dirt.Clear();

        var id = ReadId();
        var reported = ReadReported();
        var type = ReadType();
        var district = ReadDistrict();
        var times = ReadTimes(reported);
        var personal = ReadPersonal();
        if (_faults.Count > 0)
        {
            return _faults.Count == 1 ? _faults[0] : _faults[0] with { Also = _faults[1..] };
        }

        var row = new ImportRow(record.RowNumber, record.LineNumber)
        {
            ExternalId = id!,
            ReportedAt = reported!.Value,
            ClosedAt = times.Closed,
            DueAt = times.Due,
            UpdatedAt = times.Updated,
            VoidedAt = times.Voided,
            Type = type.Code,
            TypeName = type.Name,
            IsLocalType = type.IsLocal,
            Division = district,
            Source = ReadSource(),
            Personal = personal,
            ContentHash = default,
            Dirt = _dirt.Count == 0 ? [] : [.. _dirt],
        };
        return row with { ContentHash = _hash.Of(row) };
    }

    private string? ReadId()
    {
        if (Value(_slots.Id) is not { } id)
        {
            Fault(_slots.Id, null, ImportCode.IdMissing, "The row has no id.", "Give the row the id that the source knows it by; a rerun finds it by that.");
            return null;
        }

        if (id.Length > TextLimits.ExternalId || id.Any(char.IsControl))
        {
            Fault(
                _slots.Id,
                null,
                ImportCode.IdInvalid,
                $"The id has {id.Length} characters or holds control characters; {TextLimits.ExternalId} printable ones are the most.",
                "Check which column is the id.");
        }

        return id;
    }

    private Instant? ReadReported()
    {
        if (Value(_slots.Reported) is not { } text)
        {
            Fault(_slots.Reported, null, ImportCode.ReportedMissing, "The row does not say when the case was reported.", "Fill the time in, or leave the row out.");
            return null;
        }

        if (_dates.TryRead(text, out var instant))
        {
            return instant;
        }

        Fault(_slots.Reported, text, ImportCode.ReportedInvalid, $"The time of the report is in none of the formats {FormatNames()}.", DateRemedy);
        return null;
    }

    private const string DateRemedy = "Correct the time, or add its format to \"dateFormats\" in the mapping.";

    private string FormatNames() => string.Join(", ", _mapping.DateFormats.Select(f => $"'{f}'"));

    private (TypeCode Code, string? Name, bool IsLocal) ReadType()
    {
        if (Value(_slots.Type) is not { } name)
        {
            if (_mapping.Types.Missing == OtherwisePolicy.Park)
            {
                Fault(_slots.Type, null, ImportCode.TypeMissing, "The row has no type and the mapping parks such rows.", "Fill the type in.");
            }

            return (TypeRules.MissingCode, null, false);
        }

        if (!IsName(name))
        {
            Fault(_slots.Type, name, ImportCode.TypeInvalid, NotAName("type"), "Check which column is the type.");
            return default;
        }

        var found = _types.Find(name);
        if (found.Code.IsNone)
        {
            Fault(_slots.Type, name, ImportCode.TypeUnknown, "The mapping does not know this type and parks such rows.", "Add the name to \"types.codes\" in the mapping.");
        }

        return (found.Code, found.Name, found.IsLocal);
    }

    private DivisionCode ReadDistrict()
    {
        var none = _districts.NoDistrict;
        var value = _slots.District is { } slot ? Value(slot) : null;
        value = value is null ? null : _districts.PartOf(value);
        if (value is null)
        {
            if (_mapping.Districts.Missing == OtherwisePolicy.Park)
            {
                Fault(_slots.District, null, ImportCode.DistrictMissing, "The row has no district and the mapping parks such rows.", "Fill the district in.");
            }

            return none;
        }

        if (!IsName(value))
        {
            Fault(_slots.District, value, ImportCode.DistrictInvalid, NotAName("district"), "Check which column is the district.");
            return none;
        }

        if (_districts.Find(value) is { } code)
        {
            return code;
        }

        const string Remedy = "Add the value to \"districts.codes\" in the mapping.";
        if (_mapping.Districts.Unknown == OtherwisePolicy.Park)
        {
            Fault(_slots.District, value, ImportCode.DistrictUnknown, "The mapping does not know this district and parks such rows.", Remedy);
        }
        else
        {
            Dirt(_slots.District, value, ImportCode.DistrictUnknown, $"The mapping does not know this district; the case counts under {none}.", Remedy);
        }

        return none;
    }

    private SourceCode ReadSource() =>
        _slots.Source is { } slot && Value(slot) is { } word && _mapping.Sources.Codes.TryGetValue(SourceNames.Canonical(word), out var code)
            ? code
            : _mapping.Sources.Otherwise;

    private (Instant? Closed, Instant? Voided, Instant? Due, Instant? Updated) ReadTimes(Instant? reported)
    {
        var status = _slots.Status is { } slot ? Value(slot) : null;
        var isVoid = status is not null && _mapping.StatusVoid.Contains(status);
        var due = ReadTime(_slots.Due, ImportCode.DueInvalid, "The due time is no time; the case is taken without one.");
        var updated = ReadTime(_slots.Updated, ImportCode.UpdatedInvalid, "The time of the last change is no time; the row is taken without one.");
        Instant? closed = null;
        if (_mapping.StatusClosed.Count == 0 || isVoid || (status is not null && _mapping.StatusClosed.Contains(status)))
        {
            closed = ReadTime(_slots.Closed, ImportCode.ClosedInvalid, "The close time is no time; the case is kept open.");
        }

        if (closed < reported)
        {
            Dirt(
                _slots.Closed,
                Value(_slots.Closed!.Value),
                ImportCode.ClosesBeforeOpens,
                $"The case closes before it opens (at {reported}); it is kept open.",
                "Correct the close time in the source and run the import again.");
            closed = null;
            isVoid = false;
        }

        if (isVoid && closed is null)
        {
            // The source says that it was no case but not when it said so: the last change is the nearest, then the report itself.
            closed = updated >= reported ? updated : reported;
            Dirt(_slots.Status, status, ImportCode.VoidWithoutTime, $"The case is void, but no time is given; {closed} is taken.", "Give the close time of void rows.");
        }

        return isVoid ? (null, closed, due, updated) : (closed, null, due, updated);
    }

    private Instant? ReadTime(int? slot, string code, string message)
    {
        if (slot is null || Value(slot.Value) is not { } text)
        {
            return null;
        }

        if (_dates.TryRead(text, out var instant))
        {
            return instant;
        }

        Dirt(slot, text, code, message, DateRemedy);
        return null;
    }

    private PersonalFields ReadPersonal()
    {
        var text = _slots.Text.Length switch
        {
            0 => null,
            1 => Value(_slots.Text[0]),
            _ => string.Join('\n', _slots.Text.Select(Value).Where(t => t is not null)) is { Length: > 0 } joined ? joined : null,
        };
        var personal = new PersonalFields(
            _slots.Text.Length == 0 ? null : Within(TextLimits.FreeText, _slots.Text[0], text),
            Personal(_slots.Reporter, TextLimits.ReporterName),
            Personal(_slots.Contact, TextLimits.Contact),
            Personal(_slots.Address, TextLimits.Address),
            ReadPoint());
        return personal == PersonalFields.None ? PersonalFields.None : personal;
    }

    private string? Personal(int? slot, int most) => slot is { } column ? Within(most, column, Value(column)) : null;

    private string? Within(int most, int slot, string? text)
    {
        if (text?.Length > most)
        {
            Fault(slot, null, ImportCode.TextTooLong, $"The text has {text.Length} characters; {most} are the most.", "Shorten it.");
        }

        return text;
    }

    private GeoPoint? ReadPoint()
    {
        if (_slots.Point is { } one)
        {
            return Point(one, Value(one), static text => PointText.ReadBoth(text));
        }

        if (_slots.Latitude is { } latitude && Value(latitude) is { } lat && Value(_slots.Longitude!.Value) is { } lon)
        {
            return Point(latitude, lat, _ => PointText.Read(lat, lon));
        }

        return null;
    }

    private GeoPoint? Point(int slot, string? text, Func<string, PointText> read)
    {
        if (text is null)
        {
            return null;
        }

        var point = read(text);
        if (!point.IsValid)
        {
            Dirt(slot, null, ImportCode.PointInvalid, "The point is no pair of degrees; the case is taken without one.", "Write (lat, long), POINT (long lat), or two columns.");
        }

        return point.IsSomewhere ? new GeoPoint(point.Latitude, point.Longitude, _mapping.Datum) : null;
    }

    /// <summary>The value of a slot; null where it is empty or a word for missing.</summary>
    private string? Value(int slot) =>
        _record.Values[slot] is { Length: > 0 } value && !_mapping.Missing.Contains(value) ? value : null;

    private static bool IsName(string value) => value.Length <= NameCharsMax && !value.Any(char.IsControl);

    private static string NotAName(string what) => $"The {what} has more than {NameCharsMax} characters or holds line breaks; that is no name.";

    private void Fault(int? slot, string? value, string code, string message, string remedy) => _faults.Add(Make(slot, value, code, message, remedy));

    private void Dirt(int? slot, string? value, string code, string message, string remedy) => _dirt.Add(Make(slot, value, code, message, remedy));

    private ImportFault Make(int? slot, string? value, string code, string message, string remedy) => new(
        _record.RowNumber,
        _record.LineNumber,
        slot is null ? null : Columns[slot.Value],
        value is { Length: > ImportFault.ValueCharsMax } ? value[..ImportFault.ValueCharsMax] : value,
        code,
        message,
        remedy);
}
