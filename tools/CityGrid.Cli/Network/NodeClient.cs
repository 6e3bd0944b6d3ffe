using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace CityGrid.Cli.Network;

/// <summary>A program's end of a node's operator port.</summary>
public sealed class NodeClient : IDisposable
{
    private readonly GrpcChannel _channel;
    private readonly Metadata _headers;

    public NodeClient(string grpcUrl, string token)
    {
        Address = grpcUrl;
        _channel = GrpcChannel.ForAddress(grpcUrl, new GrpcChannelOptions { MaxReceiveMessageSize = 64 << 20, MaxSendMessageSize = 8 << 20 });
        _headers = HeadersOf(token);
        Cases = new CasesService.CasesServiceClient(_channel);
        Views = new ViewsService.ViewsServiceClient(_channel);
        Orders = new OrdersService.OrdersServiceClient(_channel);
        Catalogue = new CatalogueService.CatalogueServiceClient(_channel);
        Reach = new ReachService.ReachServiceClient(_channel);
        Bundles = new BundlesService.BundlesServiceClient(_channel);
        Links = new LinksService.LinksServiceClient(_channel);
        Children = new ChildrenService.ChildrenServiceClient(_channel);
        Reconciliation = new ReconcileService.ReconcileServiceClient(_channel);
        Why = new WhyService.WhyServiceClient(_channel);
    }

    public string Address { get; }

    public CasesService.CasesServiceClient Cases { get; }

    public ViewsService.ViewsServiceClient Views { get; }

    public OrdersService.OrdersServiceClient Orders { get; }

    public CatalogueService.CatalogueServiceClient Catalogue { get; }

    public ReachService.ReachServiceClient Reach { get; }

    public BundlesService.BundlesServiceClient Bundles { get; }

    public LinksService.LinksServiceClient Links { get; }

    public ChildrenService.ChildrenServiceClient Children { get; }

    public ReconcileService.ReconcileServiceClient Reconciliation { get; }

    public WhyService.WhyServiceClient Why { get; }

    public CallOptions Options => new(_headers);

    /// <summary>The same with another actor's token.</summary>
    public static CallOptions OptionsFor(string token) => new(HeadersOf(token));

    /// <summary>Whose call it is, and the language of its refusals.</summary>
    private static Metadata HeadersOf(string token) => new() { { "authorization", $"Bearer {token}" }, { "accept-language", Texts.IsChinese ? "zh-Hans" : "en" } };

    public void Dispose() => _channel.Dispose();
}
