using System.Reflection;
using CityGrid.Node.Hosting;
using CityGrid.Node.V1;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;
using NUnit.Framework;

namespace CityGrid.Tests.Conventions;

/// <summary>A service of the operator's ports names its policy, and a call that writes is an operator's.</summary>
public sealed class Every_call_says_who_may
{
    private static readonly IReadOnlyList<string> Known = [Access.View, Access.Work, Access.Keep];

    internal static IEnumerable<Type> Services => typeof(NodeHost).Assembly.GetTypes()
        .Where(type => !type.IsAbstract && type.BaseType?.GetCustomAttribute<BindServiceMethodAttribute>() is not null);

    [TestCaseSource(nameof(Services))]
    public void With_one_of_the_policies(Type service) =>
        Assert.That(service.GetCustomAttributes<AuthorizeAttribute>().Select(attribute => attribute.Policy), Is.SubsetOf(Known).And.Not.Empty);

    /// <summary>What comes in is bounded before it is parsed, on both ports: the service binds itself (Protocol.Wire.BoundedCalls).</summary>
    [Test]
    public void And_none_takes_a_message_that_was_not_bounded()
    {
        var services = Services.Concat([typeof(Hub.Reception.LinkGrpcService), typeof(Hub.Children.EnrolmentGrpcService), typeof(Hub.Children.RenewalGrpcService)]).ToArray();

        Assert.That(services.Where(service => service.GetCustomAttribute<BindServiceMethodAttribute>(inherit: false)?.BindType != service), Is.Empty);
        Assert.That(services, Has.Length.GreaterThan(3));
    }

    [TestCase(nameof(CasesService.CasesServiceBase.Report))]
    [TestCase(nameof(CasesService.CasesServiceBase.Take))]
    [TestCase(nameof(CasesService.CasesServiceBase.ImportRows))]
    public void A_call_that_writes_is_an_operators(string call)
    {
        var service = Services.Single(type => type.IsSubclassOf(typeof(CasesService.CasesServiceBase)));

        Assert.That(service.GetMethod(call)!.GetCustomAttribute<AuthorizeAttribute>()?.Policy, Is.EqualTo(Access.Work));
    }
}
