using CityGrid.Protocol.Names;
using Microsoft.AspNetCore.Authorization;

namespace CityGrid.Node.Hosting;

/// <summary>
/// <c>Authorization: Bearer TOKEN</c>, for JSON and gRPC alike: finds whose token it is and lets through whom the endpoint's policies
/// (<see cref="Access"/>) allow. The actor is who every command is recorded under.
/// </summary>
/// <remarks>
/// The library's authentication and authorization took a tenth of what a durable report costs a node; all that is asked of them is here.
/// </remarks>
internal sealed class Doorkeeper(RequestDelegate next, TokenBook tokens, CallLimits limits)
{
    private const string Prefix = "Bearer ";
    private const string NoToken = "A token is needed: send the header Authorization: Bearer TOKEN, with a token of this node's token file.";
    private const string WrongToken = "This is no bearer token of this node's token file.";

    public Task InvokeAsync(HttpContext context)
    {
        var endpoint = context.GetEndpoint();
        if (endpoint?.Metadata.GetMetadata<IAllowAnonymous>() is not null)
        {
            return StrangerMustWait(context) ? Task.CompletedTask : next(context);
        }

        var header = context.Request.Headers.Authorization;
        if (OwnerOf(header) is not { } owner)
        {
            if (StrangerMustWait(context))
            {
                return Task.CompletedTask;
            }

            context.Response.Headers.WWWAuthenticate = "Bearer";
            context.Refuse(StatusCodes.Status401Unauthorized, new Refusal("UNAUTHENTICATED", header.Count == 0 ? NoToken : WrongToken, "Authorization"));
            return Task.CompletedTask;
        }

        // What is asked for does not exist, which a caller with a token may be told; an endpoint that forgot its policy does, and is for nobody.
        if (endpoint is RouteEndpoint && Access.Missing(endpoint.Metadata.GetOrderedMetadata<IAuthorizeData>(), owner) is { } missing)
        {
            context.Refuse(StatusCodes.Status403Forbidden, new Refusal("PERMISSION_DENIED", $"{missing} This token has: {string.Join(", ", owner.Roles).ToLowerInvariant()}.", context.Request.Path));
            return Task.CompletedTask;
        }

        context.Features.Set(owner);
        return next(context);
    }

    /// <summary>
    /// True where the address has called without a token too often and was told so. On the link a peer's certificate speaks for it, and its streams are
    /// counted there.
    /// </summary>
    private bool StrangerMustWait(HttpContext context)
    {
        if (context.Features.Get<OnDoor>() is { Door: Door.Link } || limits.Strangers.Take(CallLimits.NameOf(context.Connection.RemoteIpAddress)) is not { } wait)
        {
            return false;
        }

        context.Refuse(StatusCodes.Status429TooManyRequests, CallLimits.TooManyCalls(limits.CallsPerAddress), wait);
        return true;
    }

    private TokenOwner? OwnerOf(Microsoft.Extensions.Primitives.StringValues header) =>
        header.Count == 1 && header[0] is { } text && text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) ? tokens.OwnerOf(text[Prefix.Length..].Trim()) : null;
}

/// <summary>Who is calling.</summary>
public static class Caller
{
    /// <summary>The actor of the caller's token, for the record.</summary>
    public static string ActorOf(HttpContext context) => Of(context).Actor;

    public static bool Is(HttpContext context, Role role) => Of(context).Roles.Contains(role);

    private static TokenOwner Of(HttpContext context) =>
        context.Features.Get<TokenOwner>() ?? throw new InvalidOperationException("A call without an actor got past the door.");
}
