using System.CommandLine;
using System.Globalization;
using CityGrid.Cli.Network;
using CityGrid.Hub.Divisions;
using CityGrid.Protocol.V1;
using Grpc.Core;
using NodaTime;
using NodaTime.Text;

namespace CityGrid.Cli;

/// <summary>
/// <c>citygrid register check NEW</c>: what a new register of divisions changes and from which day, what must not be, and, where a node is asked, how many
/// figures move (clauses H1 to H4). A dry run: nothing is changed.
/// </summary>
internal static class RegisterCommand
{
    private const string BuiltIn = "gbt2260";

    public static Command Create()
    {
        var file = new Argument<string>("NEW") { Description = Texts.Get("ArgumentRegister") };
        var present = new Option<string>("--present") { Description = Texts.Get("OptionPresent"), DefaultValueFactory = _ => BuiltIn };
        var today = new Option<string?>("--today") { Description = Texts.Get("OptionToday") };
        var node = new NodeCall(required: false, description: "OptionRegisterNode");
        var check = new Command("check", Texts.Get("CommandRegisterCheck")) { file, present, today };
        node.AddTo(check);
        check.SetAction((parsed, stop) => Commands.Guarded(async () =>
        {
            if (DayOf(parsed.GetValue(today)) is not { } day)
            {
                await Console.Error.WriteLineAsync(Texts.Get("RegisterDayBad", parsed.GetValue(today)!));
                return 2;
            }

            if (Load(parsed.GetRequiredValue(present)) is not { } old || Load(parsed.GetRequiredValue(file)) is not { } next)
            {
                return 1;
            }

            var change = RegisterChange.Of(old, next, day);
            using var client = node.AddressIn(parsed) is null ? null : node.Open(parsed);
            foreach (var one in change.Changes)
            {
                Console.Out.WriteLine(Told(one));
                if (client is not null && one is { IsMove: true, Before: not null })
                {
                    Console.Out.WriteLine($"  {await MovedAsync(client, one, stop)}");
                }
            }

            foreach (var fault in change.Faults)
            {
                await Console.Error.WriteLineAsync(Told(fault, day));
            }

            Console.Out.WriteLine(Texts.Get(change.Faults.Count > 0 ? "RegisterRefused" : change.Changes.Count > 0 ? "RegisterFine" : "RegisterSame"));
            return change.Faults.Count > 0 ? 1 : 0;
        }));
        return new Command("register", Texts.Get("CommandRegister")) { check };
    }

    private static LocalDate? DayOf(string? text) =>
        text is null ? LocalDate.FromDateTime(TimeProvider.System.GetLocalNow().DateTime)
        : LocalDatePattern.Iso.Parse(text) is { Success: true } parsed ? parsed.Value
        : null;

    /// <summary>The register, or null once its faults are told.</summary>
    private static DivisionRegister? Load(string path)
    {
        var reading = DivisionRegister.Load(path == BuiltIn ? null : path);
        foreach (var fault in reading.Faults)
        {
            Console.Error.WriteLine($"{path}: {fault}");
        }

        return reading.Register;
    }

    private static string Told(DivisionChange change)
    {
        var day = LocalDatePattern.Iso.Format(change.Day);
        return change switch
        {
            { Before: null } => Texts.Get("RegisterBegins", day, change.Code, Name(change.After!), change.After!.Parent?.ToString() ?? "-"),
            { After: null, Before.Successor: { } into } => Texts.Get("RegisterEndsInto", day, change.Code, Name(change.Before), into),
            { After: null } => Texts.Get("RegisterEnds", day, change.Code, Name(change.Before)),
            { IsMove: true } => Texts.Get("RegisterMoves", day, change.Code, Name(change.After), change.Before.Parent?.ToString() ?? "-", change.After.Parent?.ToString() ?? "-"),
            _ => Texts.Get("RegisterKind", day, change.Code, Name(change.After), Kind(change.Before), Kind(change.After)),
        };
    }

    private static string Told(RegisterFault fault, LocalDate today)
    {
        const int listedMax = 20;
        var others = fault.Others.Split(' ');
        var listed = string.Join(", ", others.Take(listedMax)) + (others.Length > listedMax ? Texts.Get("RegisterAndMore", others.Length - listedMax) : string.Empty);
        var day = fault.Day is { } from ? LocalDatePattern.Iso.Format(from) : Texts.Get("RegisterFromTheBeginning");
        return fault.Kind switch
        {
            RegisterFaultKind.Gone => Texts.Get("RegisterGone", listed),
            RegisterFaultKind.ToldAnew => Texts.Get("RegisterToldAnew", fault.Code!, day, LocalDatePattern.Iso.Format(today.PlusDays(1))),
            RegisterFaultKind.SuccessorToldAnew => Texts.Get("RegisterSuccessorToldAnew", fault.Code!, listed),
            _ => Texts.Get("RegisterLeavesOthers", fault.Code!, day, listed),
        };
    }

    private static string Kind(Division division) => division.Kind switch
    {
        DivisionKind.Nation => Texts.Get("DivisionKindNation"),
        DivisionKind.Province => Texts.Get("DivisionKindProvince"),
        DivisionKind.Municipality => Texts.Get("DivisionKindMunicipality"),
        DivisionKind.City => Texts.Get("DivisionKindCity"),
        DivisionKind.DirectCounty => Texts.Get("DivisionKindDirectCounty"),
        DivisionKind.County => Texts.Get("DivisionKindCounty"),
        DivisionKind.Township => Texts.Get("DivisionKindTownship"),
        DivisionKind.Placeholder => Texts.Get("DivisionKindPlaceholder"),
        _ => Texts.Get("DivisionKindUnknown"),
    };

    private static string Name(Division division) => Texts.IsChinese || division.NameEn.Length == 0 ? division.NameZh : division.NameEn;

    /// <summary>What stands under the old parent until the day and, by the tree of the day, under the new one.</summary>
    private static async Task<string> MovedAsync(NodeClient client, DivisionChange change, CancellationToken stop)
    {
        var request = new QueryRequest { Divisions = { change.Code.ToString() }, To = LocalDatePattern.Iso.Format(change.Day), Measures = { "reported", "closed", "open_at" }, Hierarchy = "as-is" };
        try
        {
            var row = (await client.Views.QueryAsync(request, client.Options.WithCancellationToken(stop))).Rows.Single();
            return Texts.Get("RegisterFigures", Figure(row, "reported"), Figure(row, "closed"), Figure(row, "open_at"));
        }
        catch (RpcException refused) when (refused.StatusCode is StatusCode.InvalidArgument or StatusCode.FailedPrecondition)
        {
            return refused.Status.Detail;
        }
    }

    private static string Figure(ViewRow row, string measure) => row.Measures[measure].ToString("N0", CultureInfo.InvariantCulture);
}
