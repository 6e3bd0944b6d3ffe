using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Cases;

namespace CityGrid.Tests.Crashes;

/// <summary>
/// Lives of a city on a model disk, drawn from a seed: cases reported and worked, reporters erased, snapshots, packed segments, failing disks. After
/// every operation on the disk it looks at what a power cut there could leave, starts a whole node from each such disk, and asks of it everything that
/// a caller was told.
/// </summary>
internal sealed class CommandDoorSearch(JournalFaults faults)
{
    private readonly HashSet<Hash256> _seen = [];
    private readonly SortedDictionary<CaseId, Promise> _promised = [];
    private readonly Dictionary<string, ReportCase> _answered = [];
    private SeededEntropy _seed = new(0);
    private VirtualTime _time = new(default);
    private ModelDisk _disk = new();
    private CityOnADisk? _city;
    private int _requests;

    /// <summary>What a caller was told of a case: at least this version, and, once erased, nothing personal ever again.</summary>
    private sealed record Promise(int Version, bool Erased);

    /// <summary>How many different disks a node was started from.</summary>
    public int States => _seen.Count;

    public long PromisesChecked { get; private set; }

    public int Acknowledged { get; private set; }

    public string? Violation { get; private set; }

    public bool Live(ulong seed, int steps)
    {
        (_seed, _time, _disk, _city) = (new SeededEntropy(seed), new VirtualTime(new DateTimeOffset(2026, 3, 2, 1, 0, 0, TimeSpan.Zero)), new ModelDisk(), null);
        _promised.Clear();
        _answered.Clear();
        _disk.Happened = _ => AfterOperation();
        try
        {
            for (var step = 0; step < steps; step++)
            {
                Guarded(Step);
            }
        }
        catch (BrokenPromiseException broken)
        {
            Violation = $"seed {seed}: {broken.Message}";
        }

        return Violation is null;
    }

    /// <summary>
    /// The same short life for every k: the k-th operation on the disk fails. Returns how many operations there were, 0 where a promise was broken.
    /// </summary>
    public int FailEveryOperation(int error, bool takesEffect)
    {
        for (var operation = 1; ; operation++)
        {
            (_seed, _time, _disk, _city) = (new SeededEntropy(3), new VirtualTime(new DateTimeOffset(2026, 3, 2, 1, 0, 0, TimeSpan.Zero)), new ModelDisk(), null);
            _promised.Clear();
            _answered.Clear();
            _disk.Fail(new DiskFault(operation, error, takesEffect));
            try
            {
                for (var step = 0; step < 30; step++)
                {
                    Guarded(Step);
                }

                var lastOfLife = _disk.Operations;
                foreach (var state in _disk.CrashStates(_seed, drawn: 1))
                {
                    _seen.Add(state.Fingerprint());
                    Examine(state);
                }

                if (operation > lastOfLife)
                {
                    return operation - 1;
                }
            }
            catch (BrokenPromiseException broken)
            {
                Violation = $"operation {operation}: {broken.Message}";
                return 0;
            }
        }
    }

    private void Step()
    {
        _city ??= new CityOnADisk(_disk, _seed, _time, faults);
        if (_disk.Happened is not null && _seed.OneIn(25))
        {
            _disk.Fail(new DiskFault(_disk.Operations + 1 + _seed.Below(8), 5, TakesEffect: _seed.OneIn(4)));
        }

        _time.Run(TimeSpan.FromMinutes(_seed.Below(90)));
        switch (_seed.Below(20))
        {
            case 0:
                _city.Core.SaveSnapshot();
                break;
            case 1:
                _city.PackSealed();
                break;
            case 2:
                _city.Core.PassTime();
                Tell(new PassTime { Case = _city.Core.Desk.Mint(), Actor = "clock" });
                break;
            case < 8:
                Report();
                break;
            case 8 when _promised.Count > 0:
                Tell(new EraseReporter { Case = Drawn(), Actor = "desk", Request = Mark(), Reason = "reporter_request" });
                break;
            default:
                Work();
                break;
        }

        if (_city.StoppedBy is { } stopped)
        {
            throw stopped;
        }
    }

    private void Report()
    {
        var id = _city!.Core.Desk.Mint();
        Tell(new ReportCase(_seed.OneIn(2) ? City.Cover : City.Refuse, _seed.OneIn(5) ? null : _seed.OneIn(2) ? City.North : City.South, City.Hotline)
        {
            Case = id,
            Actor = "desk",
            Request = Mark(),
            Grade = _seed.OneIn(8) ? EmergencyGrade.Larger : EmergencyGrade.Unspecified,
            Sealed = _seed.OneIn(2) ? _city.Personal(id, $"name-{id}") : null,
        });
    }

    private void Work()
    {
        var open = _city!.Core.Book.Open.Values.OrderBy(state => state.Id).ToArray();
        if (open.Length == 0)
        {
            return;
        }

        var state = open[_seed.Below(open.Length)];
        CaseCommand next = state.Stage switch
        {
            CaseStage.Reported => new CheckBeforeFiling(true) { Case = state.Id, Actor = "inspector" },
            CaseStage.Verified => new FileCase { Case = state.Id, Actor = "desk" },
            CaseStage.Filed => new DispatchCase("unit-1") { Case = state.Id, Actor = "desk" },
            CaseStage.Dispatched => new FinishHandling { Case = state.Id, Actor = "handler" },
            CaseStage.Handled => new CheckBeforeClosing(true) { Case = state.Id, Actor = "inspector" },
            _ => new CloseCase { Case = state.Id, Actor = "desk" },
        };
        Tell(next with { Request = Mark() });
    }

    private RequestMark Mark() => new($"r-{++_requests}", (ulong)_requests);

    private CaseId Drawn() => _promised.Keys.ElementAt(_seed.Below(_promised.Count));

    private void Tell(CaseCommand command) => _city!.Submit(command, answer =>
    {
        if (answer is not { Refusal: null, State: { } state })
        {
            return;
        }

        Acknowledged++;
        _promised[command.Case] = new Promise(answer.Version, command is EraseReporter || _promised.GetValueOrDefault(command.Case) is { Erased: true });
        if (command is ReportCase { Request: { } request } report)
        {
            _answered[request.Key] = report;
        }
    });

    /// <summary>Does a step; a failing disk ends the process, and the next step starts it again.</summary>
    private void Guarded(Action step)
    {
        try
        {
            step();
        }
        catch (Exception stopped) when (stopped is DiskFailedException or JournalClosedException or DiskFullException)
        {
            _disk.Kill();
            _city = null;
        }
        catch (JournalDamagedException damaged)
        {
            throw new BrokenPromiseException($"the running node found damage: {damaged.Message}");
        }
    }

    private void AfterOperation()
    {
        foreach (var state in _disk.CrashStates(_seed, drawn: 4))
        {
            if (_seen.Add(state.Fingerprint()))
            {
                Examine(state);
            }
        }
    }

    private void Examine(ModelDisk state)
    {
        CityOnADisk city;
        try
        {
            city = new CityOnADisk(state, new SeededEntropy(7), _time, JournalFaults.None);
        }
        catch (Exception refused) when (refused is JournalDamagedException or Hub.Sealing.KeysLostException or InvalidOperationException)
        {
            throw new BrokenPromiseException($"a crash was taken for damage: {refused.Message}");
        }

        foreach (var (id, promise) in _promised)
        {
            PromisesChecked++;
            var found = city.Core.Desk.Find(id);
            if (found is null || found.Version < promise.Version)
            {
                throw new BrokenPromiseException($"case {id} was promised at version {promise.Version} and is {(found is null ? "gone" : $"at {found.Version}")}.");
            }

            var personal = city.PersonalOf(found);
            if (promise.Erased && personal.Length > 0)
            {
                throw new BrokenPromiseException($"the reporter of case {id} was erased and is there again.");
            }

            if (found.Slots.Count > 0 && personal.Length == 0 && !promise.Erased && !IsErased(city, found))
            {
                throw new BrokenPromiseException($"the reporter of case {id} is lost though nobody erased him.");
            }
        }

        if (_seed.OneIn(8))
        {
            city.CheckCells();
            AskAgain(city);
        }

        city.Dispose();
    }

    /// <summary>An erasure that nobody was told of yet may have come through.</summary>
    private static bool IsErased(CityOnADisk city, CaseState state) => city.Core.Book.History(state.LastLsn).Any(entry => entry.Event is ReporterErased);

    /// <summary>A request whose answer somebody has is answered the same after the crash, and makes no second case.</summary>
    private void AskAgain(CityOnADisk city)
    {
        foreach (var report in _answered.Values.Where(_ => _seed.OneIn(4)))
        {
            CaseAnswer? again = null;
            city.Submit(report with { Case = city.Core.Desk.Mint() }, answer => again = answer);
            if (again is not { Refusal: null, Repeated: true } || again.State!.Id != report.Case)
            {
                throw new BrokenPromiseException($"the request {report.Request!.Key} made case {report.Case}, and now {again?.State?.Id} {again?.Refusal}.");
            }
        }
    }
}
