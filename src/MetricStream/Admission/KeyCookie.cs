using System.Buffers.Text;
using System.Text;

namespace MetricStream.Admission;

/// <summary>The cookie in which the page's browser keeps a key: no script reads it, no other site's request carries it, and it vouches for
/// reading only.</summary>
internal static class KeyCookie
{
    public const string Name = "metricstream_key";

    public static string? Read(HttpRequest request)
    {
        if (request.Cookies[Name] is not { Length: > 0 } value || !Base64Url.IsValid(value))
            return null;
        return Encoding.Latin1.GetString(Base64Url.DecodeFromChars(value));
    }

    // Coded, because a key may have what a cookie may not.
    public static void Give(HttpContext context, string key) =>
        context.Response.Cookies.Append(Name, Base64Url.EncodeToString(Encoding.Latin1.GetBytes(key)), Options(context));

    public static void TakeBack(HttpContext context) => context.Response.Cookies.Delete(Name, Options(context));

    private static CookieOptions Options(HttpContext context) => new()
    {
        HttpOnly = true,
        SameSite = SameSiteMode.Strict,
        Path = "/",
        Secure = context.Request.IsHttps,
    };
}
