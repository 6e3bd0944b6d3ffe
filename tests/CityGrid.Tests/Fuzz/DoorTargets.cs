using CityGrid.Hub.Bundles;
using CityGrid.Hub.Identity;
using CityGrid.Node.Cases;
using CityGrid.Node.Hosting;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Hosting;
using CityGrid.Tests.Reception;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Net.Client;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Fuzz;

/// <summary>The calls of a whole node, through the doors at which they are served: each is answered with a status of the declared set, and nothing of what was refused is recorded.</summary>
internal sealed class DoorTargets : IDisposable
{
    /// <summary>What a call of this product ends with; UNKNOWN, INTERNAL and DATA_LOSS are not among it.</summary>
    public static readonly StatusCode[] Declared =
    [
        StatusCode.OK, StatusCode.InvalidArgument, StatusCode.NotFound, StatusCode.AlreadyExists, StatusCode.PermissionDenied, StatusCode.FailedPrecondition,
        StatusCode.Aborted, StatusCode.ResourceExhausted, StatusCode.Unauthenticated, StatusCode.Unimplemented, StatusCode.Unavailable, StatusCode.DeadlineExceeded,
    ];

    /// <summary>What is good of these is made with the keys of the nodes.</summary>
    private static readonly string[] OfBundles = ["MakeBundle", "TakeBundle"];

    private static readonly Marshaller<byte[]> Raw = Marshallers.Create<byte[]>(bytes => bytes, bytes => bytes);

    private readonly WholeNode _node;
    private readonly GrpcChannel _enrolment;
    private readonly GrpcChannel _link;

    private DoorTargets(WholeNode node, LinkCredential child, EnrolRequest enrol, string caseId)
    {
        (_node, _enrolment, _link) = (node, node.EnrolmentChannel(), node.LinkChannel(child));
        var renew = new RenewRequest { Requests = { enrol.Requests } };
        All =
        [
            new("operator-call", Shape.Protobuf, 2_000, () => GoodRequests.Seeds([.. GoodRequests.Operators(caseId).Where(one => !OfBundles.Contains(one.Call)), .. Bundles(node, child)]), Call) { Words = [.. GoodRequests.OperatorCalls.Select(call => call.Name)], BytesPerByte = 100_000 },
            new("childrens-call", Shape.Protobuf, 400, () => GoodRequests.Seeds([("GetAuthority", new GetAuthorityRequest()), ("Enrol", enrol), ("Renew", renew)]), Call) { Words = ["GetAuthority", "Enrol", "Renew", enrol.Node, enrol.Division], BytesPerByte = 100_000 },
        ];
    }

    public static IReadOnlyList<string> Names { get; } = ["operator-call", "childrens-call"];

    public IReadOnlyList<FuzzTarget> All { get; }

    /// <param name="node">A node in a tree, of Hangzhou.</param>
    /// <param name="child">A child of it, of Shangcheng.</param>
    public static async Task<DoorTargets> AtAsync(WholeNode node, LinkCredential child)
    {
        var (enrol, keys) = await node.OpenAsync("xiacheng", "330103");
        foreach (var key in keys.Values)
        {
            key.Dispose();
        }

        var report = new ReportCase(TypeCode.Parse("01001"), DivisionCode.Parse("330102"), SourceCode.Parse("hotline")) { Case = node.Core.Desk.Mint(), Actor = "desk", Request = new RequestMark("first", 1) };
        await node.Core.Desk.SubmitAsync(report);
        return new DoorTargets(node, child, enrol, $"{report.Case}");
    }

    public void Dispose()
    {
        _enrolment.Dispose();
        _link.Dispose();
    }

    /// <summary>What an answer shows of the program that should stay inside; null where it shows nothing.</summary>
    public static string? Telling(string told) =>
        new[] { "   at ", "Exception", "System.", "CityGrid.", "Grpc.", "Google.", "Microsoft.", ".cs:line", "/tmp", "/work", "/root", "/home", ".pem", "SELECT ", "LiteDB" }
            .FirstOrDefault(word => told.Contains(word, StringComparison.Ordinal));

    /// <summary>The door of a call: its channel, and what the caller shows there.</summary>
    public (GrpcChannel Channel, Metadata Headers) DoorOf(MethodDescriptor call) =>
        call.Service == RenewalService.Descriptor ? (_link, []) : call.Service == EnrolmentService.Descriptor ? (_enrolment, []) : (_node.Grpc, Operator);

    private static Metadata Operator => Every_call_needs_a_token_that_may.Bearer(NodeFolder.AdminToken);

    /// <summary>A bundle that the parent asks for, and one that a child brings.</summary>
    private static IEnumerable<(string, IMessage)> Bundles(WholeNode node, LinkCredential credential)
    {
        using var parent = node.CertificateOf("zhejiang", "330000");
        yield return ("MakeBundle", new MakeBundleRequest { ReaderCertificate = parent.ExportCertificatePem() });
        var child = new Child("shangcheng", "330102");
        var content = new BundleContent { Requests = { child.Hello(), child.Cut(0, 5, [child.Cell(3, 1)]) }, ReachesHead = true };
        var file = BundleFile.Make(content, credential.Certificate, child.Node, [.. credential.Between], node.Certificate, NodeId.Parse("hangzhou"), TimeProvider.System.GetUtcNow(), new Hub.Seams.SystemEntropy());
        yield return ("TakeBundle", new TakeBundleRequest { Piece = ByteString.CopyFrom(file) });
    }

    private string Call(byte[] input)
    {
        if (NamedInput.Read(input) is not var (name, bytes) || GoodRequests.Calls.SingleOrDefault(call => call.Name == name) is not { } call)
        {
            return "no call";
        }

        var (before, failures) = (_node.Core.Sequencer.Applied, _node.Core.FoldFailures);
        var (channel, headers) = DoorOf(call);
        try
        {
            Answered(channel.CreateCallInvoker(), call, bytes, headers);
            FuzzTargets.Sound(_node.Core.FoldFailures == failures, $"{name}: {_node.FoldFailure}");
            return $"{name} good";
        }
        catch (RpcException refused)
        {
            FuzzTargets.Sound(Declared.Contains(refused.StatusCode), $"{name}: {refused.Status}");
            FuzzTargets.Sound(Telling(refused.Status.Detail) is null, $"{name} tells {refused.Status.Detail}");

            // A wrong code at an open place is counted.
            FuzzTargets.Sound(_node.Core.Sequencer.Applied == before || refused.Status.Detail.StartsWith("CODE_REFUSED", StringComparison.Ordinal), $"{name}: refused, and the journal grew: {refused.Status}");
            return $"{name} {refused.StatusCode} {refused.Trailers.GetValue(Refusals.CodeTrailer)}";
        }
    }

    /// <summary>One message; of a call that streams, all that comes back.</summary>
    private static void Answered(CallInvoker invoker, MethodDescriptor of, byte[] bytes, Metadata headers)
    {
        var kind = (of.IsClientStreaming, of.IsServerStreaming) switch { (true, _) => MethodType.DuplexStreaming, (_, true) => MethodType.ServerStreaming, _ => MethodType.Unary };
        var method = new Method<byte[], byte[]>(kind, of.Service.FullName, of.Name, Raw, Raw);
        if (kind == MethodType.Unary)
        {
            invoker.BlockingUnaryCall(method, null, new CallOptions(headers), bytes);
            return;
        }

        StreamedAsync(invoker, method, bytes, headers).GetAwaiter().GetResult();
    }

    private static async Task StreamedAsync(CallInvoker invoker, Method<byte[], byte[]> method, byte[] bytes, Metadata headers)
    {
        using var call = method.Type == MethodType.ServerStreaming ? null : invoker.AsyncDuplexStreamingCall(method, null, new CallOptions(headers));
        using var told = call is null ? invoker.AsyncServerStreamingCall(method, null, new CallOptions(headers), bytes) : null;
        if (call is not null)
        {
            await call.RequestStream.WriteAsync(bytes);
            await call.RequestStream.CompleteAsync();
        }

        var answers = call?.ResponseStream ?? told!.ResponseStream;
        while (await answers.MoveNext(CancellationToken.None))
        {
        }
    }
}
