using System.Globalization;
using CityGrid.Hub.Catalogue;
using NodaTime;

namespace CityGrid.Cli.Generate;

/// <summary>Writes what happens to one case, step by step, each later than the one before.</summary>
internal sealed class ScriptedLife(
    string key, Instant reportedAt, CatalogueType type, Dice dice, GeneratorPlan plan, IReadOnlyList<string> districts, IReadOnlyList<CatalogueType> types)
{
    private static readonly (string Word, int Share)[] VoidReasons = [("condition_not_met", 40), ("duplicate", 30), ("nothing_found", 20), ("not_ours", 10)];
    private static readonly (string Word, int Share)[] ReturnReasons = [("wrong_unit", 70), ("information_missing", 30)];
    private static readonly (string Word, int Share)[] ReworkReasons = [("partly_done", 50), ("poor_quality", 30), ("no_evidence", 20)];
    private static readonly (string Word, int Share)[] ExtendReasons = [("engineering", 50), ("weather", 30), ("materials", 20)];
    private static readonly (string Word, int Share)[] ReopenReasons = [("came_back", 50), ("not_solved", 50)];

    private readonly List<ScriptedStep> _steps = [];
    private Instant _now = reportedAt;
    private CatalogueType _type = type;
    private Instant _filedAt;
    private Limit _limit;

    public List<ScriptedStep> Write()
    {
        Begin();
        return _steps;
    }

    private void Begin()
    {
        if (dice.Percent(2))
        {
            // Nobody looks at it.
            return;
        }

        var isCase = !dice.Percent(6);
        AtDesk(5, 60);
        Add("check_before_filing", ScriptedRole.Inspector, s => s with { Passed = isCase });
        AtDesk(2, 30);
        if (!isCase)
        {
            Add("void_case", ScriptedRole.Desk, s => s with { Reason = dice.OneOf(VoidReasons) });
            return;
        }

        if (dice.Percent(2))
        {
            Correct();
        }

        File();
        Dispatch();
        if (dice.Percent(2))
        {
            Move();
        }

        if (Handle())
        {
            Finish();
        }
    }

    /// <summary>Somebody notices that it was another type all along.</summary>
    private void Correct()
    {
        var other = types[dice.Skewed(types.Count)];
        if (other.Key != _type.Key)
        {
            _type = other;
            Add("correct", ScriptedRole.Desk, s => s with { Type = other.Key.Code.ToString(), Reason = "wrong_type" });
            AtDesk(1, 10);
        }
    }

    private void Move()
    {
        // The script does not tell where the case was, so it moves to the city as a whole, where none begins.
        AtDesk(5, 120);
        if (!districts.Contains(plan.City.ToString()))
        {
            Add("move", ScriptedRole.Desk, s => s with { Division = plan.City.ToString(), Reason = "boundary" });
        }
    }

    private void File()
    {
        var row = dice.Percent(80) ? _type.Rows[0] : _type.Rows[dice.Below(_type.Rows.Count)];
        Add("file", ScriptedRole.Desk, s => s with { Row = row.Number });
        (_filedAt, _limit) = (_now, row.Limit);
    }

    private void Dispatch()
    {
        AtDesk(3, 45);
        Add("dispatch", ScriptedRole.Desk, s => s with { Unit = Unit() });
        if (dice.Percent(7))
        {
            AtDesk(10, 120);
            Add("return_case", ScriptedRole.Handler, s => s with { Reason = dice.OneOf(ReturnReasons) });
            AtDesk(5, 60);
            Add("dispatch", ScriptedRole.Desk, s => s with { Unit = Unit() });
        }
    }

    /// <summary>The work itself; false where it never ends.</summary>
    private bool Handle()
    {
        // Of the limit, in hundredths: most use part of it, some overrun it, some by far.
        var used = dice.Below(100) switch
        {
            < 78 => dice.Between(10, 95),
            < 92 => dice.Between(105, 180),
            < 97 => dice.Between(200, 420),
            _ => 0,
        };
        if (used == 0)
        {
            return false;
        }

        if (used < 96 && dice.Percent(6))
        {
            Suspend();
        }
        else if (used > 100 && dice.Percent(25))
        {
            // Asked for while there is still time.
            NotBefore(Into(60));
            if (_now < Into(95))
            {
                Add("extend", ScriptedRole.Handler, s => s with { Reason = dice.OneOf(ExtendReasons) });
            }
        }

        NotBefore(Into(used));
        Add("finish_handling", ScriptedRole.Handler, s => s);
        return true;
    }

    private void Suspend()
    {
        NotBefore(Into(5));
        var until = _now + Duration.FromDays(dice.Between(2, 20));
        var isResumed = dice.Percent(50);
        Add("suspend", ScriptedRole.Desk, s => s with { Until = until, Reason = "engineering" });
        if (isResumed)
        {
            NotBefore(_now + Duration.FromHours(dice.Between(5, 40)));
            Add("resume", ScriptedRole.Desk, s => s with { Reason = "cause_gone" });
        }
        else
        {
            NotBefore(until);
        }

        // The clock stood: what it had left begins now.
        _filedAt = _now;
    }

    private void Finish()
    {
        AtDesk(10, 240);
        if (dice.Percent(5))
        {
            Add("check_before_closing", ScriptedRole.Inspector, s => s with { Passed = false });
            AtDesk(5, 30);
            Add("rework", ScriptedRole.Desk, s => s with { Reason = dice.OneOf(ReworkReasons) });
            AtDesk(60, 480);
            Add("finish_handling", ScriptedRole.Handler, s => s);
            AtDesk(10, 240);
        }

        Close();
        if (dice.Percent(2))
        {
            AtDesk(600, 4_800);
            Add("reopen", ScriptedRole.Desk, s => s with { Reason = dice.OneOf(ReopenReasons) });
            Dispatch();
            AtDesk(60, 960);
            Add("finish_handling", ScriptedRole.Handler, s => s);
            AtDesk(10, 240);
            Close();
        }
    }

    private void Close()
    {
        Add("check_before_closing", ScriptedRole.Inspector, s => s with { Passed = true });
        AtDesk(2, 90);
        Add("close", ScriptedRole.Desk, s => s);
    }

    private void Add(string kind, ScriptedRole role, Func<ScriptedStep, ScriptedStep> with) =>
        _steps.Add(with(new ScriptedStep($"{key}-{_steps.Count.ToString(CultureInfo.InvariantCulture)}", kind, _now, role)));

    /// <summary>Lets so many minutes of working time pass.</summary>
    private void AtDesk(int leastMinutes, int mostMinutes) =>
        _now = plan.Calendar.After(_now, dice.Between(leastMinutes, mostMinutes) * 60_000L, workingTime: true);

    /// <summary>When so many hundredths of the limit have run since filing.</summary>
    private Instant Into(int percent) => plan.Calendar.After(_filedAt, _limit.Seconds * 10 * percent, _limit.IsWorkingTime);

    private void NotBefore(Instant at) => _now = Instant.Max(_now + Duration.FromSeconds(dice.Between(1, 59)), at);

    private string Unit() => _type.LargeClass switch
    {
        "01" => "municipal-works",
        "02" => "traffic",
        "03" or "06" => "sanitation",
        "04" => "landscaping",
        "07" or "09" => "street-order",
        "08" => "construction",
        _ => "general",
    };
}
