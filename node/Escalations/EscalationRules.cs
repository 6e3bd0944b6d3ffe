using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using CityGrid.Hub.Escalations;
using CityGrid.Node.Cases;
using CityGrid.Protocol.V1;

namespace CityGrid.Node.Escalations;

/// <summary>What makes a case one that cannot wait.</summary>
public enum EscalationTrigger
{
    /// <summary>A grade was given at intake.</summary>
    Grade,

    /// <summary>It was filed under an urgent limit (紧急工作时, 紧急工作日).</summary>
    Urgency,

    /// <summary>It ran so many of its limits past its deadline (超时倍数).</summary>
    OverdueMultiple,

    /// <summary>So many cases of one type were reported in one district within some days; again at each multiple of it.</summary>
    Repeat,
}

/// <summary>A rule: its name goes up with what it raises. <see cref="ToParent"/> sends it one tier up even where no grade demands that.</summary>
public sealed record EscalationRule(string Name, EscalationTrigger Trigger, int Multiple, int Count, int WindowDays, bool ToParent);

/// <summary>The escalation rules of a place: data, checked as a whole when read. Immutable.</summary>
public sealed partial class EscalationRules
{
    private const int RulesMax = 100;
    private const int NameLengthMax = 32;
    private const int MultipleMax = 1000;
    private const int CountMax = 1_000_000;
    private const int WindowDaysMax = 366;

    private static readonly Lazy<EscalationRules> BuiltInOnce = new(() => Read(BuiltInText()));

    private EscalationRules(IReadOnlyList<EscalationRule> rules) => Rules = rules;

    /// <summary>Grade, urgency, twice the limit overdue, and 20 of a kind in one district within 7 days.</summary>
    public static EscalationRules BuiltIn => BuiltInOnce.Value;

    public IReadOnlyList<EscalationRule> Rules { get; }

    /// <summary>The multiples that the case machine must notice: <see cref="CaseRules.OverdueSteps"/>.</summary>
    public IReadOnlyList<int> OverdueSteps =>
        [.. Rules.Where(r => r.Trigger == EscalationTrigger.OverdueMultiple).Select(r => r.Multiple).Distinct().Order()];

    /// <summary>True where what this rule raises goes one tier up whatever its grade.</summary>
    public bool GoesToParent(string rule) => Rules.Any(r => r.ToParent && r.Name == rule);

    /// <summary>The tier that must know of an event of this grade.</summary>
    public static EscalationTier TierOf(EmergencyGrade grade) => EscalationReach.Demanded(grade) switch
    {
        GradeTier.City => EscalationTier.City,
        GradeTier.Province => EscalationTier.Province,
        _ => EscalationTier.Ministry,
    };

    /// <summary>Reads rules, or throws <see cref="FormatException"/> with every fault and what to do about it.</summary>
    public static EscalationRules Read(string json)
    {
        RulesFile file;
        try
        {
            file = JsonSerializer.Deserialize(json, FileForm.Default.RulesFile) ?? throw new FormatException("The escalation rules are empty: write { \"rules\": [ … ] }.");
        }
        catch (JsonException e)
        {
            throw new FormatException($"The escalation rules cannot be read at line {e.LineNumber + 1}, {e.Path}: {e.Message}", e);
        }

        var rules = file.Rules ?? [];
        var faults = rules.SelectMany((rule, i) => FaultsOf(rule).Select(fault => $"rule {i + 1} ('{rule.Name}'): {fault}")).ToList();
        faults.AddRange(rules.GroupBy(r => r.Name).Where(g => g.Count() > 1).Select(g => $"'{g.Key}' names {g.Count()} rules; a name is one rule's."));
        if (rules.Length > RulesMax)
        {
            faults.Add($"there are {rules.Length} rules; the most is {RulesMax}.");
        }

        return faults.Count == 0
            ? new EscalationRules([.. rules.Select(r => new EscalationRule(r.Name!, r.Trigger!.Value, r.Multiple ?? 0, r.Count ?? 0, r.WindowDays ?? 0, r.ToParent ?? false))])
            : throw new FormatException($"The escalation rules have {faults.Count} faults: {string.Join(" ", faults)}");
    }

    private static IEnumerable<string> FaultsOf(RuleEntry rule)
    {
        if (rule.Name is not { Length: > 0 and <= NameLengthMax } || !rule.Name.All(c => c is >= 'a' and <= 'z' or >= '0' and <= '9' or '-'))
        {
            yield return $"a name has 1 to {NameLengthMax} characters of a-z, 0-9 and '-'.";
        }

        if (rule.Trigger is not { } trigger)
        {
            yield return "the trigger is missing.";
            yield break;
        }

        var faults = new[]
        {
            Fault("multiple", rule.Multiple, trigger == EscalationTrigger.OverdueMultiple, MultipleMax),
            Fault("count", rule.Count, trigger == EscalationTrigger.Repeat, CountMax),
            Fault("window_days", rule.WindowDays, trigger == EscalationTrigger.Repeat, WindowDaysMax),
        };
        foreach (var fault in faults)
        {
            if (fault is not null)
            {
                yield return fault;
            }
        }
    }

    private static string? Fault(string name, int? value, bool belongs, int most) => (value, belongs) switch
    {
        (null, false) => null,
        (null, true) => $"{name} is missing.",
        (not null, false) => $"{name} does not belong to this trigger.",
        ({ } some, true) => some >= 1 && some <= most ? null : $"{name} is {some}; 1 to {most} is allowed.",
    };

    private static string BuiltInText()
    {
        using var stream = typeof(EscalationRules).Assembly.GetManifestResourceStream("CityGrid.Node.Escalations.escalation-rules.json")
            ?? throw new InvalidOperationException("The program was built without its escalation rules.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    internal sealed record RulesFile(RuleEntry[]? Rules);

    internal sealed record RuleEntry(string? Name, EscalationTrigger? Trigger, int? Multiple, int? Count, int? WindowDays, bool? ToParent);

    private sealed class TriggerNames() : JsonStringEnumConverter<EscalationTrigger>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false);

    /// <summary>Made when the program is built: a start does not spend a twentieth of its time on finding out how ten lines are read.</summary>
    [JsonSourceGenerationOptions(
        GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, Converters = [typeof(TriggerNames)])]
    [JsonSerializable(typeof(RulesFile))]
    private sealed partial class FileForm : JsonSerializerContext;
}
