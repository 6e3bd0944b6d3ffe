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

    /// <summary>True where there are policies and the owner of the token meets all of them.</summary>
    internal static bool IsGranted(IReadOnlyList<IAuthorizeData> policies, TokenOwner owner)
    {
        foreach (var policy in policies)
        {
            if (!IsGranted(policy.Policy, owner))
            {
                return false;
            }
        }

        return policies.Count > 0;
    }

    private static bool IsGranted(string? policy, TokenOwner owner) => policy switch
    {
        View => true,
        Work => owner.Roles.Contains(Role.Operator),
        Keep => owner.Roles.Contains(Role.Admin),
        _ => false,
    };
}
