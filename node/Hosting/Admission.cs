using System.Globalization;
using System.Net;
using System.Net.Sockets;
using CityGrid.Hub.Load;
using CityGrid.Node.Configuration;
using CityGrid.Protocol.Names;
using Grpc.AspNetCore.Server;
using Grpc.Core;

namespace CityGrid.Node.Hosting;

/// <summary>On a call: what it is when a node has to choose. A call without it is <see cref="CallKind.Essential"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class OfKindAttribute(CallKind kind) : Attribute
{
    public CallKind Kind { get; } = kind;
}

/// <summary>
/// Who may call now: so many calls a second for each token, fewer of those that read much, so many calls under way in all, and under pressure the order of
/// <see cref="Shedding"/>. Each call has a time by which it ends. It stands behind the <see cref="Doorkeeper"/>, before anything of a body is read.
/// </summary>
internal sealed class Admission(RequestDelegate next, CallLimits limits, PressureGauge pressure, TimeProvider clock)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (context.Features.Get<TokenOwner>() is not { } owner)
        {
            return next(context);
        }

        var kind = context.GetEndpoint()?.Metadata.GetMetadata<OfKindAttribute>()?.Kind ?? CallKind.Essential;
        if (limits.Users.Take(owner.Actor) is { } wait)
        {
            return TooMany(context, limits.CallsPerUser, wait);
        }

        if (kind is CallKind.View or CallKind.DrillThrough && limits.Readers.Take(owner.Actor) is { } pause)
        {
            return TooMany(context, limits.ReadsPerUser, pause);
        }

        if (pressure.Shed(kind) is { } shed)
        {
            context.Refuse(StatusCodes.Status429TooManyRequests, shed, Shedding.PauseOf(kind));
            return Task.CompletedTask;
        }

        if (!limits.Enter(owner.Actor, kind))
        {
            return Full(context);
        }

        return context.GetEndpoint()?.Metadata.GetMetadata<GrpcMethodMetadata>() is { Method.Type: not MethodType.Unary } ? StreamingAsync(context, owner.Actor) : UnderWayAsync(context, owner.Actor);
    }

    /// <summary>A stream takes as long as its file does; the server ends one on which nothing moves.</summary>
    private async Task StreamingAsync(HttpContext context, string caller)
    {
        using var place = new Place(() => limits.Leave(caller), context.RequestAborted);
        await next(context);
    }

    private async Task UnderWayAsync(HttpContext context, string caller)
    {
        var asked = Refusals.IsGrpc(context) ? GrpcDeadline(context.Request.Headers) : null;
        var aborted = context.RequestAborted;
        using var place = new Place(() => limits.Leave(caller), aborted);
        using var time = new CancellationTokenSource(asked ?? limits.CallTime, clock);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(aborted, time.Token);
        context.RequestAborted = stop.Token;
        context.Features.Set(new CallTime(time.Token));
        try
        {
            await next(context);
        }
        finally
        {
            context.RequestAborted = aborted;
        }
    }

    /// <summary>A call without a deadline, or with one later than ours, has ours.</summary>
    private TimeSpan? GrpcDeadline(IHeaderDictionary headers)
    {
        if (TimeoutOf(headers["grpc-timeout"].ToString()) is { } asked && asked <= limits.CallTime)
        {
            return asked;
        }

        headers["grpc-timeout"] = string.Create(CultureInfo.InvariantCulture, $"{(long)limits.CallTime.TotalMilliseconds}m");
        return null;
    }

    /// <summary>A grpc-timeout: up to 8 digits and a unit.</summary>
    internal static TimeSpan? TimeoutOf(string text)
    {
        if (text.Length is < 2 or > 9 || !long.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count))
        {
            return null;
        }

        return text[^1] switch
        {
            'H' => TimeSpan.FromHours(Math.Min(count, 1_000)),
            'M' => TimeSpan.FromMinutes(Math.Min(count, 60_000)),
            'S' => TimeSpan.FromSeconds(count),
            'm' => TimeSpan.FromMilliseconds(count),
            'u' => TimeSpan.FromMicroseconds(count),
            'n' => TimeSpan.FromTicks(count / 100),
            _ => null,
        };
    }

    private static Task TooMany(HttpContext context, int perSecond, TimeSpan wait)
    {
        context.Refuse(StatusCodes.Status429TooManyRequests, CallLimits.TooManyCalls(perSecond), wait);
        return Task.CompletedTask;
    }

    private static Task Full(HttpContext context)
    {
        context.Refuse(
            StatusCodes.Status429TooManyRequests,
            new Refusal(Shedding.Busy, "As many calls are under way as this node takes (limits.callsUnderWay); call again in a second."),
            TimeSpan.FromSeconds(1));
        return Task.CompletedTask;
    }
}

/// <summary>The time that a call has; it is over when the token is cancelled.</summary>
internal sealed record CallTime(CancellationToken Over)
{
    public static readonly Refusal IsOver = new(
        "DEADLINE_EXCEEDED",
        "The call took longer than it may (its deadline, or limits.callTime). What it asked for may be done all the same; ask again with the same request key.");
}

/// <summary>What each caller, and all together, may have; one for both operator ports.</summary>
internal sealed class CallLimits(LimitsConfiguration limits, TimeProvider clock)
{
    private readonly Dictionary<string, int> _underWayOf = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private int _underWay;

    public int CallsPerUser => limits.CallsPerUser;

    public int ReadsPerUser => limits.ReadsPerUser;

    public int CallsPerAddress => limits.CallsPerAddress;

    public TimeSpan CallTime { get; } = limits.CallTime.ToTimeSpan();

    /// <summary>All calls, by token.</summary>
    public TokenBuckets Users { get; } = new(limits.CallsPerUser, clock);

    /// <summary>Calls that read much, by token.</summary>
    public TokenBuckets Readers { get; } = new(limits.ReadsPerUser, clock);

    /// <summary>Calls without a token of this node, by address.</summary>
    public TokenBuckets Strangers { get; } = new(limits.CallsPerAddress, clock);

    public int UnderWay => Volatile.Read(ref _underWay);

    /// <summary>
    /// False where as many are under way as may be. What may be let go of has half of the places, so that the rest always has the other half; one caller has
    /// a quarter, so that whoever holds his calls open keeps nobody else out.
    /// </summary>
    public bool Enter(string caller, CallKind kind)
    {
        var most = kind == CallKind.Essential ? limits.CallsUnderWay : limits.CallsUnderWay / 2;
        lock (_lock)
        {
            var own = _underWayOf.GetValueOrDefault(caller);
            if (_underWay >= most || own >= limits.CallsUnderWay / 4)
            {
                return false;
            }

            _underWayOf[caller] = own + 1;
            _underWay++;
            return true;
        }
    }

    public void Leave(string caller)
    {
        lock (_lock)
        {
            _underWay--;
            if (--_underWayOf[caller] == 0)
            {
                _underWayOf.Remove(caller);
            }
        }
    }

    public static Refusal TooManyCalls(int perSecond) => new(
        "TOO_MANY_CALLS", $"This caller has made more calls than it may: {perSecond} a second, twice that at once. Call again later, and less often.");

    /// <summary>Who calls from there: an IPv6 caller has a whole /64 to choose addresses from.</summary>
    public static string NameOf(IPAddress? address)
    {
        if (address is not { AddressFamily: AddressFamily.InterNetworkV6 } || address.IsIPv4MappedToIPv6)
        {
            return address?.MapToIPv4().ToString() ?? string.Empty;
        }

        return Convert.ToHexStringLower(address.GetAddressBytes().AsSpan(0, 8));
    }
}
