using System.CommandLine;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.V1;
using Spectre.Console;

namespace CityGrid.Cli;

/// <summary><c>citygrid order issue|list|sign|answer|reject</c>: orders to a place below, and what becomes of them (clauses O1 to O6).</summary>
internal static class OrderCommand
{
    private static readonly Dictionary<string, OrderKind> Kinds = new(StringComparer.Ordinal)
    {
        ["assign"] = OrderKind.Assign,
        ["urge"] = OrderKind.Urge,
        ["supervise"] = OrderKind.Supervise,
        ["call-back"] = OrderKind.CallBack,
        ["cancel"] = OrderKind.Cancel,
    };

    public static Command Create() =>
        new("order", Texts.Get("CommandOrder"))
        {
            Issue(),
            List(),
            Step("sign", "CommandOrderSign", OrderState.Signed),
            Step("answer", "CommandOrderAnswer", OrderState.Answered),
            Step("reject", "CommandOrderReject", OrderState.Rejected),
        };

    private static Command Issue()
    {
        var node = new NodeCall(NodeCall.Desk);
        var to = new Option<string>("--to") { Description = Texts.Get("OptionOrderTo"), Required = true };
        var kind = new Option<string>("--kind") { Description = Texts.Get("OptionOrderKind"), DefaultValueFactory = _ => "assign" };
        kind.AcceptOnlyFromAmong([.. Kinds.Keys]);
        var text = new Option<string>("--text") { Description = Texts.Get("OptionOrderText"), DefaultValueFactory = _ => string.Empty };
        var subject = new Option<string>("--subject") { Description = Texts.Get("OptionOrderSubject"), DefaultValueFactory = _ => string.Empty };
        var answerBy = new Option<string>("--answer-by") { Description = Texts.Get("OptionOrderAnswerBy"), DefaultValueFactory = _ => string.Empty };
        var expires = new Option<string>("--expires-at") { Description = Texts.Get("OptionOrderExpires"), DefaultValueFactory = _ => string.Empty };
        var key = new Option<string?>("--key") { Description = Texts.Get("OptionOrderKey") };
        var command = new Command("issue", Texts.Get("CommandOrderIssue")) { to, kind, text, subject, answerBy, expires, key };
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var answer = await client.Orders.IssueOrderAsync(new IssueOrderRequest
            {
                RequestKey = parsed.GetValue(key) ?? OrderId.Shown(new SystemEntropy().NextUInt128()),
                TargetDivision = parsed.GetRequiredValue(to),
                Kind = Kinds[parsed.GetRequiredValue(kind)],
                Text = parsed.GetRequiredValue(text),
                Subject = parsed.GetRequiredValue(subject),
                AnswerBy = parsed.GetRequiredValue(answerBy),
                ExpiresAt = parsed.GetRequiredValue(expires),
            }, client.Options.WithCancellationToken(stop));
            Show([answer.Order]);
            return 0;
        }));
        return command;
    }

    private static Command List()
    {
        var node = new NodeCall(NodeCall.Desk);
        var open = new Option<bool>("--open") { Description = Texts.Get("OptionOrderOpen") };
        var command = new Command("list", Texts.Get("CommandOrderList")) { open };
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var all = new List<OrderView>();
            for (var page = string.Empty; ;)
            {
                var answer = await client.Orders.ListOrdersAsync(
                    new ListOrdersRequest { PageSize = OrderList.PageSizeMax, PageToken = page, OpenOnly = parsed.GetValue(open) }, client.Options.WithCancellationToken(stop));
                all.AddRange(answer.Orders);
                page = answer.NextPageToken;
                if (page.Length == 0)
                {
                    break;
                }
            }

            Show(all);
            return 0;
        }));
        return command;
    }

    private static Command Step(string name, string description, OrderState state)
    {
        var node = new NodeCall(NodeCall.Desk);
        var id = new Argument<string>("ORDER") { Description = Texts.Get("ArgumentOrder") };
        var text = new Option<string>("--text") { Description = Texts.Get("OptionOrderAnswer"), DefaultValueFactory = _ => string.Empty, Required = state != OrderState.Signed };
        var command = new Command(name, Texts.Get(description)) { id, text };
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var answer = await client.Orders.StepOrderAsync(
                new StepOrderRequest { OrderId = parsed.GetRequiredValue(id), State = state, Text = parsed.GetRequiredValue(text) }, client.Options.WithCancellationToken(stop));
            Show([answer.Order]);
            return 0;
        }));
        return command;
    }

    private static string WordOf(OrderState state) => state switch
    {
        OrderState.Delivered => "OrderDelivered",
        OrderState.Signed => "OrderSigned",
        OrderState.Answered => "OrderAnswered",
        OrderState.Rejected => "OrderRejected",
        OrderState.Expired => "OrderExpired",
        OrderState.Cancelled => "OrderCancelled",
        _ => "OrderUnspecified",
    };

    private static string WordOf(OrderKind kind) => kind switch
    {
        OrderKind.Assign => "OrderAssign",
        OrderKind.Urge => "OrderUrge",
        OrderKind.Supervise => "OrderSupervise",
        OrderKind.CallBack => "OrderCallBack",
        _ => "OrderCancel",
    };

    /// <summary>A node with what it speaks for: another authority may have made one of the same name.</summary>
    internal static string Named(string node, IReadOnlyCollection<string> divisions) => divisions.Count == 0 ? node : Texts.Get("OrderNamed", node, string.Join(' ', divisions));

    private static void Show(IReadOnlyCollection<OrderView> orders)
    {
        if (orders.Count == 0)
        {
            AnsiConsole.WriteLine(Texts.Get("OrdersNone"));
            return;
        }

        var table = new Table().Border(TableBorder.Simple);
        foreach (var column in new[] { "ColumnOrder", "ColumnKind", "ColumnFrom", "ColumnTo", "ColumnIssued", "ColumnSignature", "ColumnState", "ColumnText" })
        {
            table.AddColumn(Texts.Get(column));
        }

        foreach (var order in orders)
        {
            var last = order.Receipts.LastOrDefault();
            var state = Texts.Get(WordOf(order.State)) + (order.IsOverdue ? Texts.Get("OrderOverdue") : string.Empty) + (order.TargetHasLeft ? Texts.Get("OrderTargetHasLeft") : string.Empty) + (last is { Code.Length: > 0 } ? $" ({last.Code})" : string.Empty);
            table.AddRow(
                order.OrderId, Texts.Get(WordOf(order.Kind)), Named(order.Issuer, [order.IssuerDivision]), order.TargetDivision, order.IssuedAt, order.Signature is { } said ? Named(said.Signer, said.Divisions) : Texts.Get("OrderUnsigned"), Markup.Escape(state),
                Markup.Escape(last is { Text.Length: > 0 } ? $"{order.Text} → {last.Text}" : order.Text));
        }

        AnsiConsole.Write(table);
    }
}
