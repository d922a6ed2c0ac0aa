using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using MetricStream.Intake;

namespace MetricStream.Page;

/// <summary>
/// <c>GET /</c>: the live page, one document with its style, script, icon and the chart library, all resources of this assembly. It shows
/// nothing by itself: every number comes from the routes that the page asks.
/// </summary>
internal static class PageEndpoints
{
    private const string Folder = "page/";
    private const string ChartScript = Folder + "uPlot.js";

    // Whatever a name or an error message holds, it cannot become script, and nothing is asked of other hosts.
    private const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private static readonly Dictionary<string, string> MediaTypes = new()
    {
        [".html"] = "text/html; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".svg"] = "image/svg+xml",
        [".txt"] = "text/plain; charset=utf-8",
    };

    /// <summary>False when this was built without the chart library: the page shows its numbers without charts.</summary>
    public static bool HasCharts { get; } = Resources().Contains(ChartScript);

    public static void Map(IEndpointRouteBuilder routes)
    {
        foreach (var name in Resources())
        {
            var isDocument = name == Folder + "index.html";
            var content = isDocument ? Document(Read(name)) : Read(name);
            var tag = $"\"{Convert.ToHexString(SHA256.HashData(content), 0, 8)}\"";
            var type = MediaTypes[Path.GetExtension(name)];
            routes.MapMethods(isDocument ? "/" : "/" + name, ProblemPages.Reads,
                (RequestDelegate)(context => AnswerAsync(context, content, type, tag)));
        }
    }

    private static IEnumerable<string> Resources() =>
        Assembly.GetExecutingAssembly().GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal));

    private static byte[] Read(string name)
    {
        using var resource = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!;
        var content = new byte[resource.Length];
        resource.ReadExactly(content);
        return content;
    }

    // A script that is not there must not be asked for: the browser would call that an error.
    private static byte[] Document(byte[] content)
    {
        if (HasCharts)
            return content;
        var lines = Encoding.UTF8.GetString(content).Split('\n').Where(line => !line.Contains("uPlot", StringComparison.Ordinal));
        return Encoding.UTF8.GetBytes(string.Join('\n', lines));
    }

    private static Task AnswerAsync(HttpContext context, byte[] content, string type, string tag)
    {
        var headers = context.Response.Headers;
        headers.ETag = tag;
        headers.CacheControl = "no-cache"; // Kept, and asked for again: a new version shows at once.
        headers.ContentSecurityPolicy = ContentSecurityPolicy;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        if (context.Request.Headers.IfNoneMatch.ToString() == tag)
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        context.Response.ContentType = type;
        context.Response.ContentLength = content.Length;
        return context.Response.BodyWriter.WriteAsync(content, context.RequestAborted).AsTask();
    }
}
