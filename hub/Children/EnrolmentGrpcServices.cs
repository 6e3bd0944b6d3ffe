using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;
using Grpc.Core;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace CityGrid.Hub.Children;

/// <summary>The door of enrolment (clauses E3 and E4): it lets in anybody and gives nothing to who has no code.</summary>
[BindServiceMethod(typeof(EnrolmentGrpcService), nameof(Bind))]
public sealed class EnrolmentGrpcService(ChildrenDesk desk, Sequencer sequencer) : EnrolmentService.EnrolmentServiceBase
{
    /// <summary>What <see cref="Bind"/> binds.</summary>
    public static ServiceDescriptor Descriptor => EnrolmentService.Descriptor;

    public static void Bind(ServiceBinderBase binder, EnrolmentService.EnrolmentServiceBase service) => EnrolmentService.BindService(new BoundedCalls(binder, Descriptor), service);

    public override Task<GetAuthorityResponse> GetAuthority(GetAuthorityRequest request, ServerCallContext context) =>
        Task.FromResult(new GetAuthorityResponse { Root = ByteString.CopyFrom(desk.Authority.Root.Span) });

    public override async Task<EnrolResponse> Enrol(EnrolRequest request, ServerCallContext context)
    {
        if (!NodeId.TryParse(request.Node, out var node) || !DivisionCode.TryParse(request.Division, out var division))
        {
            throw Calls.Refused(StatusCode.InvalidArgument, new Refusal("MALFORMED", "node and division are names: who wants the place, and what it answers for."));
        }

        var answer = await sequencer.SubmitAsync(desk.Enrol(node, division, request.Secret.Memory, [.. request.Requests]));
        Calls.ThrowIf(answer.Refusal);
        var response = new EnrolResponse();
        response.Certificates.AddRange(answer.Certificates.Select(Calls.Given));
        response.Between.AddRange(answer.Between.Select(der => ByteString.CopyFrom(der.Span)));
        return response;
    }
}

/// <summary>The door of renewal on the link's port (clause E6): who calls is who its certificate names.</summary>
[BindServiceMethod(typeof(RenewalGrpcService), nameof(Bind))]
public sealed class RenewalGrpcService(ChildrenDesk desk, Sequencer sequencer, PeerJudge judge) : RenewalService.RenewalServiceBase
{
    /// <summary>What <see cref="Bind"/> binds.</summary>
    public static ServiceDescriptor Descriptor => RenewalService.Descriptor;

    public static void Bind(ServiceBinderBase binder, RenewalService.RenewalServiceBase service) => RenewalService.BindService(new BoundedCalls(binder, Descriptor), service);

    public override async Task<RenewResponse> Renew(RenewRequest request, ServerCallContext context)
    {
        var peer = await judge.OfAsync(context);
        Failpoint.Hit("renewal.give.before");
        var answer = await sequencer.SubmitAsync(desk.Renew(peer, [.. request.Requests]));
        Failpoint.Hit("renewal.give.after");
        Calls.ThrowIf(answer.Refusal);
        var response = new RenewResponse();
        response.Certificates.AddRange(answer.Certificates.Select(Calls.Given));
        response.Between.AddRange(answer.Between.Select(der => ByteString.CopyFrom(der.Span)));
        return response;
    }
}

/// <summary>What both doors say in the words of the contract.</summary>
internal static class Calls
{
    public static GivenCertificate Given(ChildCertificate certificate) =>
        new() { Kind = certificate.Kind, Certificate = ByteString.CopyFrom(certificate.Der.Span) };

    public static void ThrowIf(Refusal? refusal)
    {
        if (refusal is not null)
        {
            throw Refused(refusal.Code == "MALFORMED" ? StatusCode.InvalidArgument : StatusCode.FailedPrecondition, refusal);
        }
    }

    public static RpcException Refused(StatusCode status, Refusal refusal) => new(new Status(status, refusal.ToString()));
}
