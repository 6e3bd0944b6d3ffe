using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Divisions;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using NodaTime;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Cases;

/// <summary>A city of two districts with the built-in catalogue and the usual working week, and the names the tests speak of.</summary>
internal static class City
{
    public static readonly DateTimeZone Zone = DateTimeZoneProviders.Tzdb["Asia/Shanghai"];
    public static readonly DivisionCode Place = DivisionCode.Parse("140800");
    public static readonly DivisionCode North = DivisionCode.Parse("140802");
    public static readonly DivisionCode South = DivisionCode.Parse("140821");
    public static readonly NodeId Node = NodeId.Parse("yuncheng");
    public static readonly SourceCode Hotline = SourceCode.Parse("hotline");
    public static readonly TypeCode Cover = TypeCode.Parse("01001");
    public static readonly TypeCode Refuse = TypeCode.Parse("06010");
    public static readonly TypeCode Nothing = TypeCode.Parse("09003");

    public static readonly CaseRules Rules = new()
    {
        Place = Place,
        Divisions = DivisionRegister.Of(
        [
            Row("CN", null, DivisionKind.Nation), Row("140000", "CN", DivisionKind.Province), Row("140800", "140000", DivisionKind.City),
            Row("140802", "140800", DivisionKind.County), Row("140821", "140800", DivisionKind.County), Row("140900", "140000", DivisionKind.City),
        ]),
        Catalogue = CatalogueShelf.BuiltIn,
        Calendar = new WorkCalendar(Zone),
        OverdueSteps = [2, 5],
    };

    /// <summary>A time of the city's clocks.</summary>
    public static Instant At(int year, int month, int day, int hour = 0, int minute = 0, int second = 0) =>
        Zone.AtStrictly(new LocalDateTime(year, month, day, hour, minute, second)).ToInstant();

    /// <summary>The command that takes a case one step further on its usual way.</summary>
    public static CaseCommand NextStep(CaseState state, int row = 0) => state.Stage switch
    {
        CaseStage.Reported => new CheckBeforeFiling(true) { Case = state.Id, Actor = "inspector" },
        CaseStage.Verified => new FileCase(row) { Case = state.Id, Actor = "desk" },
        CaseStage.Filed => new DispatchCase("unit-1") { Case = state.Id, Actor = "desk" },
        CaseStage.Dispatched => new FinishHandling { Case = state.Id, Actor = "handler" },
        CaseStage.Handled => new CheckBeforeClosing(true) { Case = state.Id, Actor = "inspector" },
        _ => new CloseCase { Case = state.Id, Actor = "desk" },
    };

    private static Division Row(string code, string? parent, DivisionKind kind) =>
        new(DivisionCode.Parse(code), parent is null ? null : DivisionCode.Parse(parent), code, code, kind, null, null);
}
