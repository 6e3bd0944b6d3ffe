using System.Security.Cryptography.X509Certificates;
using System.Security.Cryptography;
using CityGrid.Hub.Bundles;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Reception;
using CityGrid.Node.Configuration;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace CityGrid.Node.Hosting;

/// <summary>What the node shows, and whom it trusts, as they are now; and who its parent must prove to be.</summary>
public sealed record BundleKeys(Func<LinkCredential> Credential, Func<NetworkTrust> Trust, ParentConfiguration? Parent, TimeProvider Clock, IEntropy Entropy);

/// <summary>The bundle calls of node/citygrid/node/v1/bundles.proto: files in and out, pieces of a message's size.</summary>
[Authorize(Policy = Access.Keep)]
[BindServiceMethod(typeof(NodeBundlesService), nameof(Bind))]
public sealed class NodeBundlesService(NodeCore core, BundleKeys keys) : BundlesService.BundlesServiceBase
{
    /// <summary>What <see cref="Bind"/> binds.</summary>
    public static ServiceDescriptor Descriptor => BundlesService.Descriptor;

    public static void Bind(ServiceBinderBase binder, BundlesService.BundlesServiceBase service) => BundlesService.BindService(new BoundedCalls(binder, Descriptor), service);

    private const int PieceBytes = 1 << 20;

    public override async Task MakeBundle(MakeBundleRequest request, IServerStreamWriter<MakeBundleResponse> responseStream, ServerCallContext context)
    {
        if (core.Bundles is not { } bundles || keys.Parent is not { } parent)
        {
            throw new RefusedException(StatusCode.FailedPrecondition, new Refusal("BUNDLE_NO_PARENT", "This node has no parent in its configuration, so there is nobody to make a bundle for."));
        }

        using var reader = ReaderOf(request.ReaderCertificate, parent);
        Failpoint.Hit("bundle.make.before");
        var (content, end) = bundles.Make();
        var credential = keys.Credential();
        var file = BundleFile.Make(content, credential.Certificate, core.Node, [.. credential.Between], reader, parent.Node, keys.Clock.GetUtcNow(), keys.Entropy);
        if (end > Lsn.Zero)
        {
            Failpoint.Hit("bundle.note.before");
            await core.Sequencer.SubmitAsync(bundles.Made(end, Caller.ActorOf(context.GetHttpContext())));
            Failpoint.Hit("bundle.note.after");
        }

        await responseStream.WriteAsync(new MakeBundleResponse { Made = new BundleMade { Parts = content.Requests.Count - 1, EndLsn = end.Value, ReachesHead = content.ReachesHead } }, context.CancellationToken);
        foreach (var piece in file.Chunk(PieceBytes))
        {
            await responseStream.WriteAsync(new MakeBundleResponse { Piece = UnsafeByteOperations.UnsafeWrap(piece) }, context.CancellationToken);
        }
    }

    public override async Task TakeBundle(IAsyncStreamReader<TakeBundleRequest> requestStream, IServerStreamWriter<TakeBundleResponse> responseStream, ServerCallContext context)
    {
        var file = await WholeAsync(requestStream, context.CancellationToken);
        var opened = BundleFile.Open(file, keys.Credential().Certificate, core.Node, keys.Trust(), keys.Clock.GetUtcNow(), out var refusal)
            ?? throw new RefusedException(StatusCode.InvalidArgument, refusal!);
        if (opened.Content.Requests.Count > 0)
        {
            await TakeFromChildAsync(opened, responseStream, context.CancellationToken);
        }
        else
        {
            await TakeFromParentAsync(opened, responseStream, Caller.ActorOf(context.GetHttpContext()), context.CancellationToken);
        }
    }

    private async Task TakeFromChildAsync(OpenedBundle opened, IServerStreamWriter<TakeBundleResponse> responses, CancellationToken stop)
    {
        Failpoint.Hit("bundle.take.before");
        var answer = await core.BundleDoor.TakeAsync(opened.Maker, opened.Content);
        Failpoint.Hit("bundle.take.after");
        var receipts = answer.Receipts;
        var refused = answer.Content.Responses.FirstOrDefault(response => response.Refusal is not null)?.Refusal;
        await responses.WriteAsync(new TakeBundleResponse
        {
            Taken = new BundleTaken
            {
                From = opened.Maker.Node.ToString(),
                Accepted = receipts.Sum(receipt => receipt.Accepted),
                Unchanged = receipts.Sum(receipt => receipt.Unchanged),
                SetAside = receipts.Sum(receipt => receipt.Parked + receipt.Refused),
                RefusalCode = refused is null ? string.Empty : LinkWords.NameOf(refused.Code),
                RefusalMessage = refused?.Message ?? string.Empty,
                ReachesHead = opened.Content.ReachesHead,
            },
        }, stop);
        using var child = X509CertificateLoader.LoadCertificate(opened.MakersCertificate.Span);
        var credential = keys.Credential();
        var file = BundleFile.Make(answer.Content, credential.Certificate, core.Node, [.. credential.Between], child, opened.Maker.Node, keys.Clock.GetUtcNow(), keys.Entropy);
        foreach (var piece in file.Chunk(PieceBytes))
        {
            await responses.WriteAsync(new TakeBundleResponse { Piece = UnsafeByteOperations.UnsafeWrap(piece) }, stop);
        }
    }

    private async Task TakeFromParentAsync(OpenedBundle opened, IServerStreamWriter<TakeBundleResponse> responses, string actor, CancellationToken stop)
    {
        if (core.Bundles is not { } bundles || keys.Parent is not { } parent || !parent.IsNamedBy(opened.Maker))
        {
            throw new RefusedException(StatusCode.FailedPrecondition, new Refusal("BUNDLE_NOT_OF_PARENT", $"{opened.Maker.Node} of {string.Join(", ", opened.Maker.Divisions)} is not the parent in this node's configuration, so its answer is not taken."));
        }

        Failpoint.Hit("bundle.answer.before");
        var outcome = await core.Sequencer.SubmitAsync(bundles.Take(opened.Maker.Node, opened.Content, actor));
        Failpoint.Hit("bundle.answer.after");
        if (outcome.Disbelieved is { } fault)
        {
            throw new RefusedException(StatusCode.FailedPrecondition, fault);
        }

        core.Uplink?.EpochMayHaveChanged();
        var packages = bundles.PackagesOf(opened.Maker.Node, opened.Content);
        while (packages.Next() is { } package)
        {
            packages.Became(await core.Sequencer.SubmitAsync(package));
        }

        await responses.WriteAsync(new TakeBundleResponse
        {
            Taken = new BundleTaken
            {
                Packages = packages.Taken,
                RefusedPackages = { packages.Refused },
                From = opened.Maker.Node.ToString(),
                RefusalCode = outcome.Refusal is null ? string.Empty : LinkWords.NameOf(outcome.Refusal.Code),
                RefusalMessage = outcome.Refusal?.Message ?? string.Empty,
                Orders = outcome.Orders,
                ReachesHead = opened.Content.ReachesHead,
            },
        }, stop);
    }

    private X509Certificate2 ReaderOf(string pem, ParentConfiguration parent)
    {
        X509Certificate2 reader;
        var between = new X509Certificate2Collection();
        try
        {
            reader = X509Certificate2.CreateFromPem(pem);
            between.ImportFromPem(pem);
        }
        catch (CryptographicException)
        {
            throw new RefusedException(StatusCode.InvalidArgument, new Refusal("BUNDLE_READER_KEY", "The certificate of the parent, as PEM, is needed to seal the bundle for it.", "reader_certificate"));
        }

        if (PeerCertificate.Read(reader, between, keys.Trust(), PeerUse.Server, keys.Clock.GetUtcNow(), out var refusal) is { } peer && parent.IsNamedBy(peer))
        {
            return reader;
        }

        reader.Dispose();
        throw new RefusedException(
            StatusCode.InvalidArgument, new Refusal("BUNDLE_READER_KEY", $"The certificate is not that of {parent.Node} of {parent.Division}. {refusal?.Message}".TrimEnd(), "reader_certificate"));
    }

    private static async Task<ReadOnlyMemory<byte>> WholeAsync(IAsyncStreamReader<TakeBundleRequest> pieces, CancellationToken stop)
    {
        using var whole = new MemoryStream();
        while (await pieces.MoveNext(stop))
        {
            if (whole.Length + pieces.Current.Piece.Length > BundleFile.BytesMax)
            {
                throw new RefusedException(StatusCode.InvalidArgument, new Refusal(BundleFile.Malformed, $"A bundle has at most {BundleFile.BytesMax} bytes.", "piece"));
            }

            pieces.Current.Piece.WriteTo(whole);
        }

        return whole.GetBuffer().AsMemory(0, (int)whole.Length);
    }
}
