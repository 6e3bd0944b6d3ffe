using System.Security.Claims;
using System.Text.Encodings.Web;
using CityGrid.Protocol.Names;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace CityGrid.Node.Hosting;

/// <summary>
/// <c>Authorization: Bearer TOKEN</c>, for JSON and gRPC alike. The actor becomes the caller's name, which every command is recorded under.
/// </summary>
public sealed class BearerTokenHandler(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, TokenBook tokens)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    public const string SchemeName = "Bearer";

    private const string Prefix = "Bearer ";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var header = Request.Headers.Authorization;
        if (header.Count != 1 || header[0] is not { } text || !text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
        {
            return Task.FromResult(AuthenticateResult.NoResult());
        }

        if (tokens.OwnerOf(text[Prefix.Length..].Trim()) is not { } owner)
        {
            return Task.FromResult(AuthenticateResult.Fail("No such token."));
        }

        var claims = owner.Roles.Select(role => new Claim(ClaimTypes.Role, role.ToString())).Prepend(new Claim(ClaimTypes.Name, owner.Actor));
        var caller = new ClaimsPrincipal(new ClaimsIdentity(claims, SchemeName));
        return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(caller, SchemeName)));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.Headers.WWWAuthenticate = "Bearer";
        Context.Refuse(StatusCodes.Status401Unauthorized, new Refusal("UNAUTHENTICATED", "A bearer token of this node's token file is needed.", "Authorization"));
        return Task.CompletedTask;
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties)
    {
        Context.Refuse(StatusCodes.Status403Forbidden, new Refusal("PERMISSION_DENIED", "The token's roles do not allow this call.", Request.Path));
        return Task.CompletedTask;
    }
}

/// <summary>Who is calling.</summary>
public static class Caller
{
    /// <summary>The actor of the caller's token, for the record.</summary>
    public static string ActorOf(HttpContext context) =>
        context.User.Identity?.Name ?? throw new InvalidOperationException("A call without an actor got past the door.");
}
