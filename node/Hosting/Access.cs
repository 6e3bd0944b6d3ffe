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

    /// <summary>What the owner of a token lacks; null where there are policies and he meets all of them.</summary>
    internal static string? Missing(IReadOnlyList<IAuthorizeData> policies, TokenOwner owner)
    {
        foreach (var policy in policies)
        {
            if (Missing(policy.Policy, owner) is { } missing)
            {
                return missing;
            }
        }

        return policies.Count > 0 ? null : "This call is for nobody.";
    }

    private static string? Missing(string? policy, TokenOwner owner) => policy switch
    {
        View => null,
        Work => owner.Roles.Contains(Role.Operator) ? null : "This call needs a token with the role operator.",
        Keep => owner.Roles.Contains(Role.Admin) ? null : "This call needs a token with the role admin.",
        _ => "This call is for nobody.",
    };
}
