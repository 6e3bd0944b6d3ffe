using System.CommandLine;
using System.Globalization;
using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using Grpc.Core;

namespace CityGrid.Cli.Journey;

/// <summary>
/// <c>citygrid why</c>: the journey of one figure or one case through the nodes named, from its origin to the top. Ends with 1 where they do not agree or
/// none knows it.
/// </summary>
internal static class WhyCommand
{
    public static Command Create()
    {
        var what = new Argument<string?>("CELL|CASE") { Description = Texts.Get("ArgumentWhy"), Arity = ArgumentArity.ZeroOrOne };
        var origin = new Option<string?>("--origin") { Description = Texts.Get("OptionOrigin") };
        var type = new Option<string?>("--type") { Description = Texts.Get("OptionType") };
        var division = new Option<string?>("--division") { Description = Texts.Get("OptionCellDivision") };
        var day = new Option<string?>("--day") { Description = Texts.Get("OptionDay") };
        var source = new Option<string?>("--source") { Description = Texts.Get("OptionSource") };
        var grain = new Option<string?>("--grain") { Description = Texts.Get("OptionGrain") };
        var measure = new Option<string?>("--measure") { Description = Texts.Get("OptionMeasure") };
        var events = new Option<int>("--events") { Description = Texts.Get("OptionEvents"), DefaultValueFactory = _ => 10 };
        var command = new Command("why", Texts.Get("CommandWhy")) { what, origin, type, division, day, source, grain, measure, events };
        var nodes = new NodesGiven();
        nodes.AddTo(command);
        command.SetAction(async (parsed, stop) => await Commands.Guarded(async () =>
        {
            var name = parsed.GetValue(what);
            if (name is null && (parsed.GetValue(origin) is null || parsed.GetValue(type) is null || parsed.GetValue(day) is null))
            {
                return Commands.Fail(Texts.Get("WhyWants"), 2);
            }

            if (nodes.Open(parsed, out _, out var fault) is not { } clients)
            {
                return Commands.Fail(fault!, 2);
            }

            try
            {
                if (name is not null && CaseId.TryParse(name, out _))
                {
                    var cases = await AskAsync(clients, c => c.Why.WhyCaseAsync(new WhyCaseRequest { CaseId = name }, c.Options.WithCancellationToken(stop)).ResponseAsync);
                    return Print(WhyText.OfCase(name, cases));
                }

                var request = new WhyCellRequest
                {
                    Cell = name ?? string.Empty,
                    Origin = parsed.GetValue(origin) ?? string.Empty,
                    Type = parsed.GetValue(type) ?? string.Empty,
                    Division = parsed.GetValue(division) ?? string.Empty,
                    Day = parsed.GetValue(day) ?? string.Empty,
                    Source = parsed.GetValue(source) ?? string.Empty,
                    Grain = parsed.GetValue(grain) ?? string.Empty,
                };
                var cells = await AskAsync(clients, c => c.Why.WhyCellAsync(request, c.Options.WithCancellationToken(stop)).ResponseAsync);
                if (cells.Failures.Count > 0 && cells.Answers.Count > 0)
                {
                    // Where the origin is not known, nobody can tell what the rest of the name is; one that knew has told it.
                    cells = await AskAsync(clients, c => c.Why.WhyCellAsync(new WhyCellRequest { Cell = cells.Answers[0].Cell }, c.Options.WithCancellationToken(stop)).ResponseAsync);
                }

                return Print(WhyText.OfCell(cells, parsed.GetValue(measure), Math.Max(parsed.GetValue(events), 0)));
            }
            finally
            {
                foreach (var client in clients)
                {
                    client.Dispose();
                }
            }
        }));
        return command;
    }

    /// <summary>A node that does not answer keeps no other from being heard; where none does, its failure is the command's.</summary>
    private static async Task<(IReadOnlyList<T> Answers, IReadOnlyList<string> Failures)> AskAsync<T>(IReadOnlyList<NodeClient> clients, Func<NodeClient, Task<T>> ask)
    {
        var (answers, failures) = (new List<T>(), new List<(NodeClient Client, RpcException Failure)>());
        foreach (var client in clients)
        {
            try
            {
                answers.Add(await ask(client));
            }
            catch (RpcException failure) when (failure.StatusCode != StatusCode.Cancelled)
            {
                failures.Add((client, failure));
            }
        }

        if (answers.Count == 0 && failures.Count > 0)
        {
            throw failures[0].Failure;
        }

        return (answers, [.. failures.Select(f => Texts.Get("NodeFailed", f.Client.Address, Commands.Said(f.Failure)))]);
    }

    private static int Print((IReadOnlyList<string> Lines, bool IsSound) text)
    {
        foreach (var line in text.Lines)
        {
            Console.Out.WriteLine(line);
        }

        return text.IsSound ? 0 : 1;
    }
}

/// <summary>Answers of why.proto as lines, from the origin to the top.</summary>
internal static class WhyText
{
    public static (IReadOnlyList<string> Lines, bool IsSound) OfCell((IReadOnlyList<WhyCellResponse> Answers, IReadOnlyList<string> Failures) heard, string? measure, int events)
    {
        var lines = new List<string>();
        var way = Upwards(heard.Answers);
        if (way.Count > 0)
        {
            lines.Add(way[0].Cell);
        }

        foreach (var answer in way)
        {
            Describe(lines, answer, [.. way.Select(a => a.Node)], measure, events);
        }

        lines.AddRange(heard.Failures);
        var held = way.Where(a => a.Held).ToArray();
        var agree = held.Select(a => (a.Epoch, a.Lsn, string.Join(' ', a.Figures))).Distinct().Count() == 1;
        lines.Add(held.Length == 0 ? Texts.Get("WhyNobody") : agree ? Texts.Get("WhyAgree", held.Length, way.Count) : Texts.Get("WhyDiffer"));
        return (lines, agree && heard.Failures.Count == 0);
    }

    public static (IReadOnlyList<string> Lines, bool IsSound) OfCase(string id, (IReadOnlyList<WhyCaseResponse> Answers, IReadOnlyList<string> Failures) heard)
    {
        var lines = new List<string> { id };
        var way = heard.Answers.OrderByDescending(a => a.Held).ThenBy(a => a.Escalations.Select(e => e.Hops.Count).DefaultIfEmpty(int.MaxValue).Min()).ToArray();
        foreach (var answer in way.Where(a => a.Held || a.Escalations.Count > 0))
        {
            lines.Add(Texts.Get(answer.Held ? "WhyCaseHere" : "WhyCaseAbove", answer.Node, answer.NodeDivision, answer.Stage));
            lines.AddRange(answer.Events.Select(e => $"    {e.Lsn,8}  {e.RecordedAt}  {e.Event}  {string.Join("  ", e.Cells)}"));
            lines.AddRange(answer.Cells.Select(c => "  " + Texts.Get("WhyCaseCell", c.Cell, $"{c.Epoch}.{c.Lsn}", Confirmed(c.Upward))));
            foreach (var escalation in answer.Escalations)
            {
                lines.Add("  " + Texts.Get("WhyEscalation", escalation.Id, escalation.Version, escalation.LocalLsn, escalation.Via.Length > 0 ? escalation.Via : answer.Node, Confirmed(escalation.Upward)));
                lines.AddRange(escalation.Hops.Select(h => "    " + Texts.Get("WhyHop", h.Node, h.ReceivedAt)));
            }

            AddUnknown(lines, answer.Unknown);
        }

        lines.AddRange(heard.Failures);
        var isKnown = way.Any(a => a.Held);
        if (!isKnown)
        {
            lines.Add(Texts.Get("WhyNoCase"));
        }

        return (lines, isKnown);
    }

    private static void Describe(List<string> lines, WhyCellResponse answer, IReadOnlyCollection<string> heard, string? measure, int events)
    {
        lines.Add(string.Empty);
        lines.Add(Texts.Get("WhyNode", answer.Node, answer.NodeDivision));
        if (!answer.Held)
        {
            lines.Add("  " + Texts.Get("WhyNotHeld"));
        }
        else
        {
            lines.Add("  " + Figures(answer.Figures, measure));
            lines.Add("  " + Texts.Get("WhyRevision", $"{answer.Epoch}.{answer.Lsn}", answer.LocalLsn, answer.RecordedAt, Texts.Get(WordOf(answer.Came))));
            if (answer.Via.Length > 0)
            {
                lines.Add("  " + Texts.Get("WhyVia", answer.Via, answer.CutTo));
            }
        }

        if (answer.Word is { } word)
        {
            lines.Add("  " + Texts.Get("WhyWord", $"{word.Epoch}.{word.Lsn}", word.AsOf, word.CompleteThrough, word.Via, Texts.Get(WordOf(word.Digest))));
        }

        foreach (var edge in answer.Ranges)
        {
            foreach (var range in edge.Ranges)
            {
                lines.Add("  " + Texts.Get("WhyRange", edge.Parent, edge.Child, range.Month.Length == 0 ? Texts.Get("AllMonths") : range.Month, Texts.Get(ReconcileTable.WordOf(range.State)), range.Cells, edge.ComparedAt));
            }
        }

        if (answer is { Held: true, Upward: { } upward })
        {
            lines.Add("  " + Confirmed(upward));
        }

        if (answer.ContributionsInAll > 0)
        {
            lines.Add("  " + Texts.Get("WhyEvents", answer.ContributionsInAll, Texts.Get(answer.Explained ? "WhyExplained" : "WhyUnexplained")));
            lines.AddRange(answer.Contributions.Skip(Math.Max(0, answer.Contributions.Count - events))
                .Select(c => $"    {c.Lsn,8}  {c.RecordedAt}  {c.CaseId}  {c.Event}  {string.Join(' ', c.Changes.Select(f => $"{f.Name}{f.Value.ToString("+0;-0", CultureInfo.InvariantCulture)}"))}"));
        }

        // What one node cannot tell, another may have told in this very answer.
        var origin = answer.Cell[..answer.Cell.IndexOf(':', StringComparison.Ordinal)];
        AddUnknown(lines, answer.Unknown.Where(u => !(u.Code == "CASES_STAY_HOME" && heard.Contains(origin)) && !(u.Code == "ABOVE_BY_RECEIPT" && heard.Contains(answer.Upward.Parent))));
    }

    private static void AddUnknown(List<string> lines, IEnumerable<NotKnown> unknown) =>
        lines.AddRange(unknown.Select(u => "  " + Texts.Get("WhyUnknown", Texts.Refusal(u.Code, u.Message))));

    private static string Figures(IEnumerable<Figure> figures, string? measure)
    {
        var shown = figures.Where(f => measure is null || f.Name == measure).Select(f => $"{f.Name} {f.Value.ToString("N0", CultureInfo.InvariantCulture)}").ToArray();
        return shown.Length > 0 ? string.Join(", ", shown) : measure is null ? Texts.Get("WhyZero") : $"{measure} 0";
    }

    private static string Confirmed(UpwardStanding? upward) =>
        upward is null ? Texts.Get("UpTop") : !upward.GoesUp ? Texts.Get("UpStays") : Texts.Get(upward.Confirmed ? "UpConfirmed" : "UpWaits", upward.Parent, upward.ConfirmedLsn, upward.ConfirmedAt);

    private static string WordOf(Arrival arrival) => arrival switch
    {
        Arrival.Counted => "CameCounted",
        Arrival.Stamped => "CameStamped",
        Arrival.Received => "CameReceived",
        Arrival.Repaired => "CameRepaired",
        Arrival.Settled => "CameSettled",
        _ => "CameOtherwise",
    };

    private static string WordOf(WordDigest digest) => digest switch
    {
        WordDigest.Agrees => "DigestAgrees",
        WordDigest.Differs => "DigestDiffers",
        _ => "DigestNotNow",
    };

    /// <summary>The origin's answer first, then its parent's, and so on; whoever else holds the cell comes last, where a node between did not answer or by another parent.</summary>
    private static List<WhyCellResponse> Upwards(IReadOnlyList<WhyCellResponse> answers)
    {
        var left = answers.ToList();
        var way = new List<WhyCellResponse>();
        for (var next = left.Find(IsOrigin) ?? left.Find(a => left.All(b => b.Upward?.Parent != a.Node)); next is not null;)
        {
            way.Add(next);
            left.Remove(next);
            var above = next.Upward?.Parent;
            next = left.Find(a => a.Node == above);
        }

        way.AddRange(left.Where(a => a.Held || IsOrigin(a)));
        return way;

        static bool IsOrigin(WhyCellResponse answer) => answer.Cell.StartsWith(answer.Node + ":", StringComparison.Ordinal);
    }
}
