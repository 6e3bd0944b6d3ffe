using CityGrid.Hub.Catalogue;
using CityGrid.Node.Intake;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace CityGrid.Node.Hosting;

/// <summary>The calls of citygrid/v1/catalogue.proto, over gRPC and as JSON. It reads requests, asks the desk, and writes answers.</summary>
[Authorize(Policy = Access.View)]
[BindServiceMethod(typeof(NodeCatalogueService), nameof(Bind))]
public sealed class NodeCatalogueService(NodeCore core) : CatalogueService.CatalogueServiceBase
{
    /// <summary>What <see cref="Bind"/> binds.</summary>
    public static ServiceDescriptor Descriptor => CatalogueService.Descriptor;

    public static void Bind(ServiceBinderBase binder, CatalogueService.CatalogueServiceBase service) => CatalogueService.BindService(new BoundedCalls(binder, Descriptor), service);

    [Authorize(Policy = Access.Keep)]
    public override async Task<PublishPackageResponse> PublishPackage(PublishPackageRequest request, ServerCallContext context)
    {
        var key = RequestReads.Key(request.RequestKey);
        if (!CatalogueVersion.TryParse(request.Version, out var version))
        {
            throw RequestReads.Bad("MALFORMED", $"version is a name of 1 to {CatalogueVersion.LengthMax} characters of a-z, 0-9, '-', '_' and '.'.", "version");
        }

        if (!StatDay.TryParse(request.EffectiveFrom, out var from))
        {
            throw RequestReads.Bad("MALFORMED", "effective_from is a day, yyyy-MM-dd.", "effective_from");
        }

        if (request.Title.Length > PackageFile.TextMax)
        {
            throw RequestReads.Bad("MALFORMED", $"title has {request.Title.Length} characters; at most {PackageFile.TextMax} are allowed.", "title");
        }

        var wish = new PackageWish(key, version, from, request.Title, request.Rows);
        var answer = await core.Sequencer.SubmitAsync(core.PackageDesk.Publish(wish, Caller.ActorOf(context.GetHttpContext())));
        return answer is { Package: { } package, Refusal: null }
            ? new PublishPackageResponse { Package = core.PackageList.Show(package.Name, Shelf), Repeated = answer.Repeated }
            : throw new RefusedException(RequestReads.StatusOf(answer.Refusal!.Code) is var status and (StatusCode.AlreadyExists or StatusCode.Unavailable) ? status : StatusCode.InvalidArgument, answer.Refusal);
    }

    public override Task<ListPackagesResponse> ListPackages(ListPackagesRequest request, ServerCallContext context) =>
        core.Readers.ReadAsync(() => core.PackageList.List(Shelf, () => core.ChildrenNow.Select(child => child.Node)), context.CancellationToken);

    public override Task<GetPackageResponse> GetPackage(GetPackageRequest request, ServerCallContext context) => core.Readers.ReadAsync(
        () => (CatalogueVersion.TryParse(request.Version, out var version) ? core.PackageList.Get(version, Shelf) : null)
            ?? throw new RefusedException(StatusCode.NotFound, new Refusal(PackageList.VersionUnknown, "There is no version of this name here.", "version")),
        context.CancellationToken);

    private CatalogueShelf Shelf() => core.Desk.Rules.Catalogue;
}
