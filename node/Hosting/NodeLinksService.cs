using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace CityGrid.Node.Hosting;

/// <summary>The link calls of node/citygrid/node/v1/links.proto, over gRPC and as JSON.</summary>
[Authorize(Policy = Access.View)]
[BindServiceMethod(typeof(NodeLinksService), nameof(Bind))]
public sealed class NodeLinksService(NodeCore core, NodeStatus status) : LinksService.LinksServiceBase
{
    /// <summary>What <see cref="Bind"/> binds.</summary>
    public static ServiceDescriptor Descriptor => LinksService.Descriptor;

    public static void Bind(ServiceBinderBase binder, LinksService.LinksServiceBase service) => LinksService.BindService(new BoundedCalls(binder, Descriptor), service);

    public override Task<ListLinksResponse> ListLinks(ListLinksRequest request, ServerCallContext context) => Task.FromResult(status.Links());

    [Authorize(Policy = Access.Keep)]
    public override Task<ListParkedResponse> ListParked(ListParkedRequest request, ServerCallContext context)
    {
        var response = new ListParkedResponse();
        var incarnation = core.Journal.Incarnation;
        core.Sequencer.Read(() =>
        {
            response.Parked.AddRange(core.Reception.Parked.Concat(core.Reception.Refused).Select(aside => ViewOf(aside.Child, aside.Lane, aside.Event.Value, aside.Verdict)));
            response.Parked.AddRange(Enum.GetValues<ParentKind>().SelectMany(kind => LinkWords.Lanes.SelectMany(
                lane => core.UplinkFold[kind].ReceiptOf(lane, incarnation).Problems.Select(problem => ViewOf(core.Node, lane, 0, problem, core.UplinkFold[kind].Node)))));
            response.Unlisted.AddRange(core.Reception.Children.Where(child => core.Reception.HasUnlisted(child.Node)).Select(child => child.Node.ToString()));
            return true;
        });
        return Task.FromResult(response);
    }

    [Authorize(Policy = Access.Keep)]
    public override Task<PushResponse> Push(PushRequest request, ServerCallContext context)
    {
        var parents = status.Push();
        return parents.Count > 0
            ? Task.FromResult(new PushResponse { Parents = { parents.Select(parent => parent.ToString()) } })
            : throw new RefusedException(StatusCode.FailedPrecondition, new Refusal("NO_PARENT", "This node has no parent in its configuration; there is nobody to send to."));
    }

    [Authorize(Policy = Access.Keep)]
    public override async Task<GrantResponse> Grant(GrantRequest request, ServerCallContext context)
    {
        if (!Incarnation.TryParse(request.Directory, out var directory))
        {
            throw new RefusedException(StatusCode.InvalidArgument, new Refusal("MALFORMED", "The directory is 32 hexadecimal digits, as INCARNATION_UNKNOWN names it.", "directory"));
        }

        return NodeId.TryParse(request.Child, out var child)
            ? await core.GrantAsync(child, directory, Caller.ActorOf(context.GetHttpContext())) switch
            {
                GrantOutcome.ChildUnknown => throw NoChild(),
                GrantOutcome.OutOfOffice => throw new RefusedException(
                    StatusCode.FailedPrecondition,
                    new Refusal("FENCED", $"Data directory {directory} of {child} is out of office for ever. Open it as a restored one (--restored); it is then another directory, which can be granted its epoch.", "directory")),
                var outcome => new GrantResponse { Granted = outcome == GrantOutcome.Granted },
            }
            : throw NoChild();
    }

    [Authorize(Policy = Access.Keep)]
    public override async Task<GiveNameResponse> GiveName(GiveNameRequest request, ServerCallContext context)
    {
        if (!NodeId.TryParse(request.Name, out var name))
        {
            throw new RefusedException(StatusCode.InvalidArgument, new Refusal("MALFORMED", "The name is that of a node, as NAME_TAKEN tells it.", "name"));
        }

        if (!DivisionCode.TryParse(request.Division, out var division))
        {
            throw NoDivision(request.Division);
        }

        var (outcome, settled) = await core.Redriving.GiveNameAsync(name, division, Caller.ActorOf(context.GetHttpContext()));
        return outcome switch
        {
            NameOutcome.DivisionUnknown => throw NoDivision(request.Division),
            NameOutcome.DivisionOutside => throw new RefusedException(
                StatusCode.InvalidArgument, new Refusal("DIVISION_OUTSIDE", $"{division} does not lie below this node's division today; a name is given to a place below it.", "division")),
            NameOutcome.Borne => throw new RefusedException(
                StatusCode.FailedPrecondition,
                new Refusal("NAME_BORNE", $"{name} is this node, its parent or a child of this node that is somewhere else, and its place says where. Whoever else bears the name needs another, or that child's place is retired (citygrid children retire).", "name")),
            _ => new GiveNameResponse { Given = outcome == NameOutcome.Given, Settled = settled, StillParked = core.Sequencer.Read(() => core.Reception.Parked.Count) },
        };
    }

    private static RefusedException NoDivision(string division) =>
        new(StatusCode.InvalidArgument, new Refusal("DIVISION_UNKNOWN", $"'{division}' does not stand in this node's register. Correct the code, or load a register that has it.", "division"));

    [Authorize(Policy = Access.Keep)]
    public override async Task<RedriveResponse> Redrive(RedriveRequest request, ServerCallContext context)
    {
        if (!NodeId.TryParse(request.Child, out var child) || core.Sequencer.Read(() => core.Reception.Child(child)) is null)
        {
            throw NoChild();
        }

        var actor = Caller.ActorOf(context.GetHttpContext());
        var settled = await core.Redriving.RedriveAsync(child, actor);
        if (request.SendAgain)
        {
            Failpoint.Hit("rewind.before");
            await core.Sequencer.SubmitAsync(core.ReceptionDesk.Rewind(child, actor));
        }

        return new RedriveResponse { Settled = settled, StillParked = core.Sequencer.Read(() => core.Reception.ParkedOf(child)) };
    }

    private static RefusedException NoChild() =>
        new(StatusCode.NotFound, new Refusal("CHILD_UNKNOWN", "No node of this name ever spoke to this one as its child.", "child"));

    private static ParkedView ViewOf(NodeId node, Lane lane, long lsn, RecordReceipt verdict, NodeId? parent = null) => new()
    {
        Parent = parent?.ToString() ?? string.Empty,
        Node = node.ToString(),
        Lane = lane.ToString().ToLowerInvariant(),
        Outcome = verdict.Outcome.ToString().ToUpperInvariant(),
        Code = verdict.Code,
        Message = verdict.Message,
        Lsn = lsn,
        Index = verdict.Index,
    };
}
