using System.Globalization;

namespace EvenKeel.Testing.Isolation;

/// <summary>
/// Environment variables of this process, changed for one test: while it holds them no other test can hold the same, and afterwards they
/// are as they were.
/// </summary>
public sealed class EnvironmentScope : IDisposable
{
    private readonly ProcessHold _hold;

    private EnvironmentScope(ProcessHold hold) => _hold = hold;

    /// <summary>Sets one variable.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="value">Null removes it.</param>
    /// <exception cref="TimeoutException">Another test holds it for more than a minute; the message names it.</exception>
    public static Task<EnvironmentScope> SetAsync(string name, string? value) =>
        SetAsync(new Dictionary<string, string?> { [name] = value });

    /// <summary>Sets several variables at once.</summary>
    /// <param name="variables">A null value removes one.</param>
    /// <exception cref="TimeoutException">Another test holds one for more than a minute; the message names it.</exception>
    public static async Task<EnvironmentScope> SetAsync(IReadOnlyDictionary<string, string?> variables)
    {
        ArgumentNullException.ThrowIfNull(variables);
        var hold = await ProcessHold.TakeAsync(variables.Keys.Select(name => $"environment variable {name}")).ConfigureAwait(false);
        foreach (var (name, value) in variables)
        {
            var before = Environment.GetEnvironmentVariable(name);
            hold.Change(() => Environment.SetEnvironmentVariable(name, value), () => Environment.SetEnvironmentVariable(name, before));
        }
        return new EnvironmentScope(hold);
    }

    /// <summary>Puts the variables back.</summary>
    public void Dispose() => _hold.Dispose();
}

/// <summary>The current folder of this process, changed for one test.</summary>
public sealed class CurrentDirectoryScope : IDisposable
{
    private readonly ProcessHold _hold;

    private CurrentDirectoryScope(ProcessHold hold) => _hold = hold;

    /// <summary>Changes it.</summary>
    /// <param name="path">A folder that exists.</param>
    /// <exception cref="TimeoutException">Another test holds it for more than a minute; the message names it.</exception>
    public static async Task<CurrentDirectoryScope> ChangeAsync(string path)
    {
        var hold = await ProcessHold.TakeAsync(["current directory"]).ConfigureAwait(false);
        var before = Environment.CurrentDirectory;
        hold.Change(() => Environment.CurrentDirectory = path, () => Environment.CurrentDirectory = before);
        return new CurrentDirectoryScope(hold);
    }

    /// <summary>Puts it back.</summary>
    public void Dispose() => _hold.Dispose();
}

/// <summary>A culture for one test.</summary>
public sealed class CultureScope : IDisposable
{
    private readonly IDisposable? _hold;
    private readonly CultureInfo? _culture;
    private readonly CultureInfo? _uiCulture;

    private CultureScope(CultureInfo? culture, CultureInfo? uiCulture, IDisposable? hold)
    {
        _culture = culture;
        _uiCulture = uiCulture;
        _hold = hold;
    }

    /// <summary>For the calling test and what it awaits or starts: no other test sees it, and nobody has to wait.</summary>
    /// <param name="culture">The culture.</param>
    public static CultureScope Use(CultureInfo culture)
    {
        var scope = new CultureScope(CultureInfo.CurrentCulture, CultureInfo.CurrentUICulture, null);
        CultureInfo.CurrentCulture = culture;
        CultureInfo.CurrentUICulture = culture;
        return scope;
    }

    /// <summary>For every thread of the process that has none of its own: one test at a time.</summary>
    /// <param name="culture">The culture.</param>
    /// <exception cref="TimeoutException">Another test holds it for more than a minute; the message names it.</exception>
    public static async Task<CultureScope> UseEverywhereAsync(CultureInfo culture)
    {
        var hold = await ProcessHold.TakeAsync(["default culture"]).ConfigureAwait(false);
        var (before, uiBefore) = (CultureInfo.DefaultThreadCurrentCulture, CultureInfo.DefaultThreadCurrentUICulture);
        hold.Change(() => Set(culture, culture), () => Set(before, uiBefore));
        return new CultureScope(null, null, hold);

        static void Set(CultureInfo? everywhere, CultureInfo? ui)
        {
            CultureInfo.DefaultThreadCurrentCulture = everywhere;
            CultureInfo.DefaultThreadCurrentUICulture = ui;
        }
    }

    /// <summary>Puts the culture back.</summary>
    public void Dispose()
    {
        if (_culture is not null && _uiCulture is not null)
        {
            CultureInfo.CurrentCulture = _culture;
            CultureInfo.CurrentUICulture = _uiCulture;
        }
        _hold?.Dispose();
    }
}

/// <summary>Any static of the code under test, such as a cache of settings, changed for one test.</summary>
public sealed class StaticScope : IDisposable
{
    private readonly ProcessHold _hold;

    private StaticScope(ProcessHold hold) => _hold = hold;

    /// <summary>Sets it.</summary>
    /// <typeparam name="T">The static's type.</typeparam>
    /// <param name="name">Its name, the same in all tests: two that name it so cannot hold it at once.</param>
    /// <param name="read">Reads it.</param>
    /// <param name="write">Writes it.</param>
    /// <param name="value">Its value for the test.</param>
    /// <exception cref="TimeoutException">Another test holds it for more than a minute; the message names it.</exception>
    public static async Task<StaticScope> SetAsync<T>(string name, Func<T> read, Action<T> write, T value)
    {
        ArgumentNullException.ThrowIfNull(read);
        ArgumentNullException.ThrowIfNull(write);
        var hold = await ProcessHold.TakeAsync([$"static {name}"]).ConfigureAwait(false);
        var before = read();
        hold.Change(() => write(value), () => write(before));
        return new StaticScope(hold);
    }

    /// <summary>Puts it back.</summary>
    public void Dispose() => _hold.Dispose();
}
