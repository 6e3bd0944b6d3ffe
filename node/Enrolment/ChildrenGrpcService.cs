using CityGrid.Hub.Children;
using CityGrid.Hub.Seams;
using CityGrid.Node.Hosting;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;
using NodaTime;
using NodaTime.Text;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace CityGrid.Node.Enrolment;

/// <summary>The calls of node/citygrid/node/v1/children.proto, over gRPC and as JSON.</summary>
[Authorize(Policy = Access.Keep)]
[BindServiceMethod(typeof(ChildrenGrpcService), nameof(Bind))]
public sealed class ChildrenGrpcService(NodeCore core, CertificateWatch watch) : ChildrenService.ChildrenServiceBase
{
    /// <summary>What <see cref="Bind"/> binds.</summary>
    public static ServiceDescriptor Descriptor => ChildrenService.Descriptor;

    public static void Bind(ServiceBinderBase binder, ChildrenService.ChildrenServiceBase service) => ChildrenService.BindService(new BoundedCalls(binder, Descriptor), service);

    public override Task<ListChildrenResponse> ListChildren(ListChildrenRequest request, ServerCallContext context) =>
        Task.FromResult(new ListChildrenResponse { Children = { Desk.Fold.Places.Select(Shown) } });

    public override async Task<OpenPlaceResponse> OpenPlace(OpenPlaceRequest request, ServerCallContext context)
    {
        var divisions = request.Divisions.Select(text => DivisionCode.TryParse(text, out var code) ? code : throw Malformed($"\"{text}\" is no division code: 1 to 32 of A-Z, 0-9 and '-'.", "divisions"));
        Failpoint.Hit("place.open.before");
        var answer = await core.Sequencer.SubmitAsync(Desk.Open(NodeOf(request.Node), [.. divisions], request.Authority, request.Replaces, Actor(context)));
        Failpoint.Hit("place.open.after");
        return new OpenPlaceResponse { Place = Changed(answer), Code = answer.Code?.ToString() ?? string.Empty };
    }

    public override async Task<ApprovePlaceResponse> ApprovePlace(ApprovePlaceRequest request, ServerCallContext context)
    {
        Failpoint.Hit("place.approve.before");
        var answer = await core.Sequencer.SubmitAsync(Desk.Approve(NodeOf(request.Node), Actor(context)));
        Failpoint.Hit("place.approve.after");
        return new ApprovePlaceResponse { Place = Changed(answer), Code = answer.Code!.ToString() };
    }

    public override async Task<RevokeChildResponse> RevokeChild(RevokeChildRequest request, ServerCallContext context)
    {
        Failpoint.Hit("revoke.before");
        var answer = await core.Sequencer.SubmitAsync(
            Desk.Revoke(NodeOf(request.Node), request.Serial.Length == 0 ? null : request.Serial, ReasonOf(request.Reason), Actor(context)));
        Failpoint.Hit("revoke.after");
        return new RevokeChildResponse { Place = Changed(answer) };
    }

    public override async Task<RetireChildResponse> RetireChild(RetireChildRequest request, ServerCallContext context) =>
        new() { Place = Changed(await core.Sequencer.SubmitAsync(Desk.Retire(NodeOf(request.Node), ReasonOf(request.Reason), Actor(context)))) };

    public override Task<ListCertificatesResponse> ListCertificates(ListCertificatesRequest request, ServerCallContext context) =>
        Task.FromResult(new ListCertificatesResponse { Certificates = { watch.Own().Select(Shown) } });

    private ChildrenDesk Desk => core.Children ?? throw new RefusedException(
        StatusCode.FailedPrecondition, new Refusal("CHILDREN_NOT_KEPT", "This node keeps no register of children. Give its configuration a children section."));

    private ChildPlace Changed(PlaceAnswer answer) => answer.Refusal is { } refusal
        ? throw new RefusedException(
            refusal.Code is "CHILD_UNKNOWN" ? StatusCode.NotFound : refusal.Code is "PLACE_WITHOUT_DIVISION" or "UNKNOWN_DIVISION" or "PLACE_OUTSIDE" ? StatusCode.InvalidArgument : StatusCode.FailedPrecondition,
            refusal)
        : Shown(answer.Place!);

    private ChildPlace Shown(Hub.Children.Place place)
    {
        var state = place.StateAt(core.Now);
        var opening = place.Opening;
        return new ChildPlace
        {
            Node = place.Node.ToString(),
            // A place that was retired before anybody took it has none.
            Divisions = { (place.Divisions.IsEmpty ? opening?.Divisions ?? [] : place.Divisions).Select(d => d.ToString()) },
            Authority = place.Divisions.IsEmpty ? opening is { Authority: true } : place.Authority,
            State = state.ToString().ToLowerInvariant(),
            Connected = core.Presence.IsConnected(place.Node),
            AskedBy = opening?.AskedBy ?? string.Empty,
            ApprovedBy = opening?.ApprovedBy ?? string.Empty,
            ExpiresAt = Iso(opening?.ExpiresAt),
            WrongTries = opening?.WrongTries ?? 0,
            EnrolledAt = Iso(place.EnrolledAt),
            RetiredAt = Iso(place.RetiredAt),
            RetiredFor = place.RetiredFor,
            Certificates =
            {
                place.Certificates.Select(c =>
                {
                    var shown = Shown(new CertificateEnd(place.Node, c.Kind, c.Serial, c.NotBefore, c.NotAfter));
                    (shown.RevokedAt, shown.RevokedFor, shown.TakenUntil) = (Iso(c.RevokedAt), c.RevokedFor, Iso(c.TakenUntil));
                    return shown;
                }),
            },
        };
    }

    private Certificate Shown(CertificateEnd end) => new()
    {
        Kind = end.Kind.ToString().ToLowerInvariant(),
        Serial = end.Serial,
        NotBefore = Iso(end.NotBefore),
        NotAfter = Iso(end.NotAfter),
        DaysLeft = (long)Math.Floor((end.NotAfter - core.Now).TotalDays),
        Warning = end.NearAt(core.Now) switch
        {
            EndNear.Far => string.Empty,
            EndNear.Within30Days => "within 30 days",
            EndNear.Within14Days => "within 14 days",
            EndNear.Within7Days => "within 7 days",
            _ => "ended",
        },
    };

    private static NodeId NodeOf(string text) => NodeId.TryParse(text, out var node) ? node : throw Malformed("node is the child's name: 1 to 64 of a-z, 0-9, '-', '_' and '.'.", "node");

    private static string ReasonOf(string text) => text.Trim() is { Length: > 0 and <= 500 } reason ? reason : throw Malformed("reason says why, in 1 to 500 characters.", "reason");

    private static RefusedException Malformed(string message, string where) => new(StatusCode.InvalidArgument, new Refusal("MALFORMED", message, where));

    private static string Actor(ServerCallContext context) => Caller.ActorOf(context.GetHttpContext());

    private static string Iso(Instant? at) => at is { } some ? InstantPattern.ExtendedIso.Format(some) : string.Empty;
}
