using System.Reflection;
using CityGrid.Node.Hosting;
using CityGrid.Tests.Approvals;
using Microsoft.Extensions.Logging;
using NUnit.Framework;

namespace CityGrid.Tests.Conventions;

/// <summary>People alert on log lines, so their ids are an interface: approved, never reused; and no line can hold what a case says.</summary>
public sealed class Every_log_line_has_an_id_of_its_own
{
    /// <summary>What a placeholder may stand for: ids, counts, codes, places of the program. A new word is added here after thought.</summary>
    private static readonly IReadOnlyList<string> Allowed =
        ["node", "link", "operator", "grpc", "what", "count", "fault", "method", "route", "errorid", "listener", "lsn", "replayed", "cells", "open", "fold", "kind", "code",
            "range", "child", "state", "added", "replaced", "zeroed", "newer"];

    private static IReadOnlyList<(string Where, LoggerMessageAttribute Line)> Lines { get; } =
    [
        .. new[] { typeof(NodeHost).Assembly, typeof(Hub.Journal.IJournal).Assembly }
            .SelectMany(assembly => assembly.GetTypes())
            .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
            .Select(method => (Where: $"{method.DeclaringType!.FullName}.{method.Name}", Line: method.GetCustomAttribute<LoggerMessageAttribute>()!))
            .Where(found => found.Line is not null)
            .OrderBy(found => found.Line.EventId),
    ];

    [Test]
    public void No_two_share_one() =>
        Assert.That(Lines.GroupBy(found => found.Line.EventId).Where(group => group.Count() > 1).Select(group => group.Key), Is.Empty);

    [Test]
    public void All_are_approved() =>
        Approved.Matches("log-events", string.Join('\n', Lines.Select(found => $"{found.Line.EventId} | {found.Line.Level} | {found.Where} | {found.Line.Message}")));

    [Test]
    public void None_has_a_place_for_what_a_case_says()
    {
        var names = Lines.SelectMany(found => System.Text.RegularExpressions.Regex.Matches(found.Line.Message, @"\{(\w+)\}").Select(match => match.Groups[1].Value.ToLowerInvariant()));

        Assert.That(names.Distinct().Except(Allowed), Is.Empty);
    }
}
