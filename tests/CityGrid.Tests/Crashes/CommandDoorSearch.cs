using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Cases;

namespace CityGrid.Tests.Crashes;

/// <summary>
/// Lives of a city: cases reported and worked, reporters erased, snapshots, packed segments, failing disks. A whole node is started from each disk that
/// a power cut could leave, and asked everything that a caller was told.
/// </summary>
internal sealed class CommandDoorSearch(JournalFaults faults) : LivesOnADisk(drawn: 4)
{
    private readonly SortedDictionary<CaseId, Promise> _promised = [];
    private readonly Dictionary<string, ReportCase> _answered = [];
    private VirtualTime _time = new(default);
    private CityOnADisk? _city;
    private int _requests;

    /// <summary>What a caller was told of a case: at least this version, and, once erased, nothing personal ever again.</summary>
    private sealed record Promise(int Version, bool Erased);

    public long PromisesChecked { get; private set; }

    public int Acknowledged { get; private set; }

    /// <summary>
    /// The same short life for every k: the k-th operation on the disk fails. Returns how many operations there were, 0 where a promise was broken.
    /// </summary>
    public int FailEveryOperation(int error, bool takesEffect)
    {
        for (var operation = 1; ; operation++)
        {
            Begin(3);
            Disk.Fail(new DiskFault(operation, error, takesEffect));
            try
            {
                Run(30);
                var lastOfLife = Disk.Operations;
                foreach (var state in Disk.CrashStates(Seed, drawn: 1))
                {
                    ExamineAgain(state);
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

    protected override void Begin(ulong seed)
    {
        base.Begin(seed);
        (_time, _city) = (new VirtualTime(new DateTimeOffset(2026, 3, 2, 1, 0, 0, TimeSpan.Zero)), null);
        _promised.Clear();
        _answered.Clear();
    }

    protected override void Ended() => _city = null;

    protected override void Step()
    {
        _city ??= new CityOnADisk(Disk, Seed, _time, faults);
        if (Disk.Happened is not null)
        {
            MayFail();
        }

        _time.Run(TimeSpan.FromMinutes(Seed.Below(90)));
        switch (Seed.Below(20))
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
        Tell(new ReportCase(Seed.OneIn(2) ? City.Cover : City.Refuse, Seed.OneIn(5) ? null : Seed.OneIn(2) ? City.North : City.South, City.Hotline)
        {
            Case = id,
            Actor = "desk",
            Request = Mark(),
            Grade = Seed.OneIn(8) ? EmergencyGrade.Larger : EmergencyGrade.Unspecified,
            Sealed = Seed.OneIn(2) ? _city.Personal(id, $"name-{id}") : null,
        });
    }

    private void Work()
    {
        var open = _city!.Core.Book.Open.Values.OrderBy(state => state.Id).ToArray();
        if (open.Length == 0)
        {
            return;
        }

        Tell(City.NextStep(open[Seed.Below(open.Length)]) with { Request = Mark() });
    }

    private RequestMark Mark() => new($"r-{++_requests}", (ulong)_requests);

    private CaseId Drawn() => _promised.Keys.ElementAt(Seed.Below(_promised.Count));

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

    protected override void Examine(ModelDisk state)
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

        if (Seed.OneIn(8))
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
        foreach (var report in _answered.Values.Where(_ => Seed.OneIn(4)))
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
