using Microsoft.AspNetCore.Authorization;

namespace CityGrid.Node.Hosting;

/// <summary>The policies of the operator ports. An endpoint without one of them, or an explicit AllowAnonymous, is for nobody.</summary>
public static class Access
{
    /// <summary>Any token: figures, lists, cases without what is personal.</summary>
    public const string View = "view";

    /// <summary>Operators: taking in cases, working them, reading what is personal.</summary>
    public const string Work = "work";

    /// <summary>Administrators: what concerns the node.</summary>
    public const string Keep = "keep";

    internal static void AddPolicies(AuthorizationOptions options)
    {
        options.AddPolicy(View, policy => policy.RequireRole(nameof(Role.Viewer), nameof(Role.Operator), nameof(Role.Admin)));
        options.AddPolicy(Work, policy => policy.RequireRole(nameof(Role.Operator)));
        options.AddPolicy(Keep, policy => policy.RequireRole(nameof(Role.Admin)));
        options.FallbackPolicy = new AuthorizationPolicyBuilder().RequireAuthenticatedUser().RequireAssertion(IsNoEndpoint).Build();
    }

    /// <summary>What is asked for does not exist, which a caller with a token may be told; an endpoint that forgot its policy does, and is for nobody.</summary>
    private static bool IsNoEndpoint(AuthorizationHandlerContext context) =>
        context.Resource is HttpContext http && http.GetEndpoint() is not RouteEndpoint;
}
