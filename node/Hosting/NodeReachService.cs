using CityGrid.Hub.Load;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reach;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;
using NodaTime;
using NodaTime.Text;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace CityGrid.Node.Hosting;

/// <summary>The live calls of citygrid/v1/reach.proto, over gRPC and as JSON. It reads requests, asks the desk, and writes answers.</summary>
[Authorize(Policy = Access.View)]
[BindServiceMethod(typeof(NodeReachService), nameof(Bind))]
public sealed class NodeReachService(NodeCore core) : ReachService.ReachServiceBase
{
    /// <summary>What <see cref="Bind"/> binds.</summary>
    public static ServiceDescriptor Descriptor => ReachService.Descriptor;

    public static void Bind(ServiceBinderBase binder, ReachService.ReachServiceBase service) => ReachService.BindService(new BoundedCalls(binder, Descriptor), service);

    private static readonly Duration WaitDefault = Duration.FromSeconds(10);

    /// <summary>What of the caller's deadline stays for the answer's way to him.</summary>
    private static readonly Duration DeadlineMargin = Duration.FromMilliseconds(500);

    [OfKind(CallKind.DrillThrough)]
    public override async Task<PullViewResponse> PullView(PullViewRequest request, ServerCallContext context)
    {
        var query = request.Query ?? new QueryRequest();
        if (core.Views.Fault(query) is { } fault)
        {
            throw Refused(fault);
        }

        var (target, allBelow) = request.TargetDivision.Length == 0 ? (core.Division, true) : (TargetOf(request.TargetDivision), request.AllBelow);
        if (!allBelow && query.Divisions.FirstOrDefault(code => !Related(DivisionCode.Parse(code), target)) is { } outside)
        {
            throw Refused(new Refusal("DIVISION_OUTSIDE", $"{outside} does not lie at or below {target}, which is asked. Ask {outside} itself, or leave target_division out.", "query.divisions"));
        }

        var gathered = await AskAsync(new ReachWish(ActorOf(context), target, allBelow, ReachKind.View, query.ToByteString(), WaitOf(request.WaitMs, context)), context);
        var response = new PullViewResponse { QueryId = OrderId.Shown(gathered.Id), Partial = gathered.IsPartial };
        foreach (var part in gathered.Parts)
        {
            var view = Read(part, QueryResponse.Parser, out var sound);
            response.Places.Add(new PlaceView { Place = PlaceOf(sound, context), View = view });
            response.Partial |= view is null;
        }

        response.Missing.AddRange(gathered.Missing.Select(one => MissingOf(one, context)));
        return response;
    }

    [OfKind(CallKind.DrillThrough)]
    public override async Task<PullCaseResponse> PullCase(PullCaseRequest request, ServerCallContext context)
    {
        var (id, target) = request.EscalationId.Length > 0 ? OfEscalation(request) : (CaseOf(request.CaseId), TargetOf(request.TargetDivision));
        var asked = new CaseAsked { Case = ByteString.CopyFrom(id.ToBytes()) };
        var gathered = await AskAsync(new ReachWish(ActorOf(context), target, false, ReachKind.Case, asked.ToByteString(), WaitOf(request.WaitMs, context)), context);
        var response = new PullCaseResponse { QueryId = OrderId.Shown(gathered.Id), Partial = gathered.IsPartial };
        response.Missing.AddRange(gathered.Missing.Select(one => MissingOf(one, context)));
        if (gathered.Parts.Count > 0)
        {
            response.Case = Read(gathered.Parts[0], CaseSummary.Parser, out var sound);
            response.Place = PlaceOf(sound, context);
            response.Partial |= response.Case is null;
        }

        return response;
    }

    private async Task<ReachGathered> AskAsync(ReachWish wish, ServerCallContext context)
    {
        var (gathered, refusal) = await core.ReachDesk.AskAsync(wish).WaitAsync(context.CancellationToken);
        return gathered ?? throw (refusal!.Code == Shedding.Busy ? new RefusedException(StatusCode.ResourceExhausted, refusal) : Refused(refusal));
    }

    private bool Related(DivisionCode division, DivisionCode target) =>
        core.RegisterNow.HasBeenAtOrBelow(division, target) || core.RegisterNow.IsAtOrBelow(target, division);

    private (CaseId Case, DivisionCode Target) OfEscalation(PullCaseRequest request)
    {
        if (request.CaseId.Length > 0)
        {
            throw Refused(new Refusal("MALFORMED", "case_id and escalation_id are two ways to say it; leave one out.", "escalation_id"));
        }

        var known = IdOf(request.EscalationId, out var id) ? core.Sequencer.Read(() => core.Escalations.Find(id)?.Content) : null;
        if (known is null)
        {
            throw new RefusedException(StatusCode.NotFound, new Refusal("ESCALATION_UNKNOWN", "There is no escalation with this id here.", "escalation_id"));
        }

        var home = NodeId.TryParse(known.Origin, out var origin) ? core.HomeOf(origin) : null;
        return (new CaseId(OrderId.Of(known.Subject)), request.TargetDivision.Length > 0 || home is null ? TargetOf(request.TargetDivision) : home.Value);
    }

    private static CaseId CaseOf(string text) =>
        CaseId.TryParse(text, out var id) ? id
        : IdOf(text, out var value) ? new CaseId(value)
        : throw Refused(new Refusal("MALFORMED", "case_id is the id of a case as lists show it.", "case_id"));

    /// <summary>16 bytes as lists show them: as JSON has bytes, or in hexadecimal digits.</summary>
    private static bool IdOf(string text, out UInt128 id)
    {
        Span<byte> bytes = stackalloc byte[18];
        if (text.Length == 24 && Convert.TryFromBase64String(text, bytes, out var length) && length == 16)
        {
            id = System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes);
            return true;
        }

        return OrderId.TryParse(text, out id);
    }

    private static DivisionCode TargetOf(string text) =>
        text.Length == 0 ? throw Refused(new Refusal("TARGET_MISSING", "target_division is the division code of the place that is asked.", "target_division"))
        : DivisionCode.TryParse(text, out var target) ? target
        : throw Refused(new Refusal("DIVISION_UNKNOWN", "target_division is the division code of the place that is asked.", "target_division"));

    /// <summary>Within what the caller himself waits: an answer with gaps is better than none.</summary>
    private Duration WaitOf(int milliseconds, ServerCallContext context)
    {
        if (milliseconds < 0 || milliseconds > ReachShape.WaitMost.TotalMilliseconds)
        {
            throw Refused(new Refusal("WAIT_BAD", $"wait_ms is 0 to {ReachShape.WaitMost.TotalMilliseconds:0}, and 0 for {WaitDefault.TotalMilliseconds:0}; {milliseconds} was asked for.", "wait_ms"));
        }

        var wait = milliseconds == 0 ? WaitDefault : Duration.FromMilliseconds(milliseconds);
        return context.Deadline == DateTime.MaxValue ? wait
            : Duration.Max(Duration.Min(wait, Instant.FromDateTimeUtc(context.Deadline) - core.Now - DeadlineMargin), Duration.FromMilliseconds(1));
    }

    /// <summary>What a place answered; null where it refused, or where its bytes are no such answer, which <paramref name="sound"/> says then.</summary>
    private static T? Read<T>(ReachPart part, MessageParser<T> parser, out ReachPart sound)
        where T : class, IMessage<T>
    {
        sound = part;
        if (part.Code.Length > 0)
        {
            return null;
        }

        try
        {
            return parser.ParseFrom(part.Answer);
        }
        catch (InvalidProtocolBufferException)
        {
            sound = part.Clone();
            (sound.Code, sound.Message) = (ReachCodes.Malformed, $"What {part.Node} answered is no answer to this question.");
            return null;
        }
    }

    private static string ActorOf(ServerCallContext context)
    {
        var actor = Caller.ActorOf(context.GetHttpContext());
        return actor.Length <= ReachShape.ActorMax ? actor : actor[..ReachShape.ActorMax];
    }

    private static PlaceAnswered PlaceOf(ReachPart part, ServerCallContext context) => new()
    {
        Node = part.Node,
        Division = part.Division,
        At = Iso(part.At),
        Lsn = part.Lsn,
        Older = part.Older,
        Code = part.Code,
        Message = Spoken(part.Code, part.Message, context),
    };

    private static PlaceMissing MissingOf(ReachMissing one, ServerCallContext context) => new()
    {
        Division = one.Division,
        Node = one.Node,
        Code = one.Code,
        Message = Spoken(one.Code, one.Message, context),
        LastHeard = one.LastHeard == 0 ? string.Empty : Iso(one.LastHeard),
        Origins = one.Origins,
    };

    private static string Spoken(string code, string message, ServerCallContext context) =>
        code.Length == 0 ? string.Empty : new Refusal(code, message).SpokenTo(context.GetHttpContext().Request).Message;

    /// <summary>What a node far below says of its clock is shown as far as it is a time.</summary>
    private static string Iso(long unixMilliseconds) =>
        unixMilliseconds is > 0 and < 253_402_300_800_000 ? InstantPattern.General.Format(Instant.FromUnixTimeMilliseconds(unixMilliseconds)) : string.Empty;

    private static RefusedException Refused(Refusal refusal) => new(StatusCode.InvalidArgument, refusal);
}
