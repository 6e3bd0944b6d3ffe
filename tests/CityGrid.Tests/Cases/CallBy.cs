using CityGrid.Node.Hosting;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace CityGrid.Tests.Cases;

/// <summary>A call as it comes through the door, by an actor with a role.</summary>
internal sealed class CallBy : ServerCallContext
{
    public CallBy(string actor, Role role)
    {
        var context = new DefaultHttpContext();
        context.Features.Set(new TokenOwner(actor, [role]));
        UserState["__HttpContext"] = context;
    }

    protected override string MethodCore => "Get";

    protected override string HostCore => "test";

    protected override string PeerCore => "test";

    protected override DateTime DeadlineCore => DateTime.MaxValue;

    protected override Metadata RequestHeadersCore { get; } = [];

    protected override CancellationToken CancellationTokenCore => CancellationToken.None;

    protected override Metadata ResponseTrailersCore { get; } = [];

    protected override Status StatusCore { get; set; }

    protected override WriteOptions? WriteOptionsCore { get; set; }

    protected override AuthContext AuthContextCore { get; } = new(string.Empty, []);

    protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) => throw new NotSupportedException();

    protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => Task.CompletedTask;
}
