using CityGrid.Hub.Children;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace CityGrid.Tests.Fuzz;

/// <summary>A request of each call, as somebody sends it who means it well.</summary>
internal static class GoodRequests
{
    public static IReadOnlyList<ServiceDescriptor> OperatorServices { get; } =
        [.. Conventions.Every_call_says_who_may.Services.Select(service => (ServiceDescriptor)service.GetProperty("Descriptor")!.GetValue(null)!)];

    /// <summary>What children call at the doors of enrolment and of the link.</summary>
    public static IReadOnlyList<ServiceDescriptor> ChildrensServices { get; } = [EnrolmentGrpcService.Descriptor, RenewalGrpcService.Descriptor];

    public static IReadOnlyList<MethodDescriptor> OperatorCalls { get; } = [.. OperatorServices.SelectMany(service => service.Methods)];

    /// <summary>Every call that is not the link's stream, whose frames have targets of their own.</summary>
    public static IReadOnlyList<MethodDescriptor> Calls { get; } = [.. OperatorServices.Concat(ChildrensServices).SelectMany(service => service.Methods)];

    /// <summary>The requests of the operator's calls; <paramref name="caseId"/> is a case of the node that is asked.</summary>
    public static IReadOnlyList<(string Call, IMessage Request)> Operators(string caseId = "0197c0de000070008000000000000001") =>
    [
        ("Report", new ReportRequest { RequestKey = "k", Type = "01001", Division = "330102", Source = "hotline", Summary = "cover", Personal = new Personal { ReporterName = "王", LatitudeE7 = 1 } }),
        ("Take", new TakeRequest { RequestKey = "t", CaseId = caseId, CheckBeforeFiling = new CheckBeforeFiling { Passed = true } }),
        ("Take", new TakeRequest { RequestKey = "f", CaseId = caseId, File = new FileCase { Row = 1 } }),
        ("Take", new TakeRequest { RequestKey = "c", CaseId = caseId, Correct = new CorrectCase { Type = "06010", Division = "330102" }, Reason = "wrong_type" }),
        ("Get", new GetRequest { CaseId = caseId, Personal = true }),
        ("GetHistory", new GetHistoryRequest { CaseId = caseId, AsOf = "2026-11-24T00:00:00Z" }),
        ("List", new ListRequest { Stage = "reported", Type = "01", Division = "330102", PageSize = 10 }),
        ("ImportRows", new ImportRowsRequest { System = "s", Rows = { new ImportRow { ExternalId = "1", Type = "01001", Division = "330102", Source = "hotline", ReportedAt = 1_800_000_000_000, ContentHash = ByteString.CopyFrom(new byte[32]) } } }),
        ("WhyCell", new WhyCellRequest { Origin = "hangzhou", Type = "01001", Division = "330102", Day = "2026-11-24", Source = "hotline" }),
        ("WhyCase", new WhyCaseRequest { CaseId = caseId }),
        ("MakeBundle", new MakeBundleRequest { ReaderCertificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }),
        ("TakeBundle", new TakeBundleRequest { Piece = ByteString.CopyFromUtf8("CITYGRID-BUNDLE\n") }),
        ("Reconcile", new ReconcileRequest()),
        ("GetReconciliation", new GetReconciliationRequest()),
        ("ListChildren", new ListChildrenRequest()),
        ("OpenPlace", new OpenPlaceRequest { Node = "xihu", Divisions = { "330106" } }),
        ("ApprovePlace", new ApprovePlaceRequest { Node = "xihu" }),
        ("RevokeChild", new RevokeChildRequest { Node = "xihu", Reason = "key lost" }),
        ("RetireChild", new RetireChildRequest { Node = "xihu", Reason = "merged" }),
        ("ListCertificates", new ListCertificatesRequest()),
        ("ListLinks", new ListLinksRequest()),
        ("ListParked", new ListParkedRequest()),
        ("Push", new PushRequest()),
        ("Grant", new GrantRequest { Child = "xihu", Directory = new string('0', 31) + "1" }),
        ("GiveName", new GiveNameRequest { Name = "xihu", Division = "330106" }),
        ("Redrive", new RedriveRequest { Child = "xihu" }),
        ("PullView", new PullViewRequest { Query = new QueryRequest { By = { "month" }, Measures = { "reported" } }, TargetDivision = "330100", WaitMs = 100 }),
        ("PullCase", new PullCaseRequest { CaseId = caseId, TargetDivision = "330100", WaitMs = 100 }),
        ("Query", new QueryRequest { By = { "month", "district" }, Divisions = { "330100" }, Types_ = { "01" }, Measures = { "reported", "p50" }, From = "2026-11-01", To = "2026-11-30" }),
        ("ListEscalations", new ListEscalationsRequest { Division = "330100", PageSize = 10 }),
        ("GetStatus", new GetStatusRequest()),
        ("PublishPackage", new PublishPackageRequest { RequestKey = "p", Version = "hangzhou-1", EffectiveFrom = "2099-01-01", Title = "title", Rows = Catalogue.Packages.Rows }),
        ("ListPackages", new ListPackagesRequest()),
        ("GetPackage", new GetPackageRequest { Version = "hangzhou-1" }),
        ("IssueOrder", new IssueOrderRequest { RequestKey = "o", TargetDivision = "330102", Kind = OrderKind.Supervise, Text = "report" }),
        ("StepOrder", new StepOrderRequest { OrderId = new string('0', 31) + "1", State = OrderState.Signed, Text = "we do" }),
        ("ListOrders", new ListOrdersRequest { PageSize = 10, OpenOnly = true }),
    ];

    /// <summary>The requests of children; keys and secrets are any bytes.</summary>
    public static IReadOnlyList<(string Call, IMessage Request)> Childrens { get; } =
    [
        ("GetAuthority", new GetAuthorityRequest()),
        ("Enrol", new EnrolRequest { Node = "shangcheng", Division = "330102", Secret = ByteString.CopyFrom(new byte[16]), Requests = { new KeyRequest { Kind = CertificateKind.Link, Request = ByteString.CopyFrom(1, 2, 3) } } }),
        ("Renew", new RenewRequest { Requests = { new KeyRequest { Kind = CertificateKind.Signer, Request = ByteString.CopyFrom(1, 2, 3) } } }),
    ];

    public static IReadOnlyList<byte[]> Seeds(IEnumerable<(string Call, IMessage Request)> requests) => [.. requests.Select(one => NamedInput.Of(one.Call, one.Request.ToByteArray()))];
}
