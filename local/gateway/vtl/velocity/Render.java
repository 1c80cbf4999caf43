import com.jayway.jsonpath.Configuration;
import com.jayway.jsonpath.InvalidJsonException;
import com.jayway.jsonpath.JsonPath;
import com.jayway.jsonpath.PathNotFoundException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.StringWriter;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import net.minidev.json.JSONObject;
import net.minidev.json.JSONStyle;
import net.minidev.json.JSONValue;
import org.apache.commons.lang3.StringEscapeUtils;
import org.apache.velocity.VelocityContext;
import org.apache.velocity.app.VelocityEngine;
import org.apache.velocity.app.event.EventCartridge;
import org.apache.velocity.app.event.InvalidReferenceEventHandler;
import org.apache.velocity.app.event.MethodExceptionEventHandler;
import org.apache.velocity.context.Context;
import org.apache.velocity.exception.VelocityException;
import org.apache.velocity.util.introspection.Info;

import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * Renders API Gateway mapping templates by Apache Velocity: one JSON request a line on stdin, one JSON
 * answer a line on stdout. $input, $util and the rest are written from AWS's reference, and not from
 * engine.mjs, so that a mistake has to be made twice to go unseen.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
 */
public final class Render {
  /** Input is $input. Velocity calls public methods of public classes only. */
  public static final class Input {
    private final String body;
    private final Map<String, Object> params = new LinkedHashMap<>();
    private Object json;

    Input(String body, Map<String, Object> request) {
      this.body = body;
      // "searched in that order": path, query string, header
      params.put("path", request.get("Path"));
      params.put("querystring", request.get("Query"));
      params.put("header", request.get("Headers"));
    }

    public String getBody() {
      return body.isEmpty() ? "{}" : body; // not documented
    }

    /** "returns a JSON object representation of the result" */
    public Object path(String path) {
      if (body.isEmpty()) {
        return null;
      }
      if (json == null) {
        json = Configuration.defaultConfiguration().jsonProvider().parse(body);
      }
      try {
        return JsonPath.read(json, path);
      } catch (PathNotFoundException e) {
        return null;
      }
    }

    /** "evaluates a JSONPath expression and returns the results as a JSON string" */
    public String json(String path) {
      if (body.isEmpty() && path.equals("$")) {
        return "{}";
      }
      Object found;
      try {
        found = body.isEmpty() ? "" : JsonPath.read(path("$"), path);
      } catch (PathNotFoundException e) {
        found = ""; // not documented
      }
      return JSONValue.toJSONString(found, JSONStyle.LT_COMPRESS); // as Jayway writes lists and maps
    }

    public Map<String, Object> params() {
      return params;
    }

    public Object params(String name) {
      for (Object source : params.values()) {
        for (Map.Entry<?, ?> parameter : ((Map<?, ?>) source).entrySet()) {
          if (parameter.getKey().toString().equalsIgnoreCase(name)) {
            return parameter.getValue();
          }
        }
      }
      return ""; // not documented
    }
  }

  /** Util is $util. */
  public static final class Util {
    /** "This function will turn any regular single quotes (') into escaped ones (\')." */
    @SuppressWarnings("deprecation") // its successor is the same code in one more jar
    public String escapeJavaScript(Object value) {
      return StringEscapeUtils.escapeEcmaScript(value.toString());
    }

    public Object parseJson(String value) {
      return Configuration.defaultConfiguration().jsonProvider().parse(value);
    }

    public String urlEncode(String value) {
      return URLEncoder.encode(value, UTF_8);
    }

    public String urlDecode(String value) {
      return URLDecoder.decode(value, UTF_8);
    }

    public String base64Encode(String value) {
      return Base64.getEncoder().encodeToString(value.getBytes(UTF_8));
    }

    public String base64Decode(String value) {
      return new String(Base64.getDecoder().decode(value), UTF_8);
    }
  }

  /**
   * Nothing is what API Gateway's own variables do not have; AWS's pass-through template relies on it.
   * Any other undefined reference stands as it was written.
   */
  private static final class Nothing implements InvalidReferenceEventHandler, MethodExceptionEventHandler {
    @Override
    public Object invalidGetMethod(Context context, String reference, Object object, String property, Info info) {
      return instead(reference);
    }

    @Override
    public boolean invalidSetMethod(Context context, String left, String right, Info info) {
      return false;
    }

    @Override
    public Object invalidMethod(Context context, String reference, Object object, String method, Info info) {
      return instead(reference);
    }

    /** Without this, Velocity takes what a method throws for nothing as soon as there are handlers. */
    @Override
    public Object methodException(Context context, Class<?> type, String method, Exception e, Info info) {
      throw e instanceof RuntimeException ? (RuntimeException) e : new VelocityException(method, e);
    }

    private static Object instead(String reference) {
      return reference.matches("(?s)\\$!?\\{?(input|util|context|stageVariables)\\b.*") ? "" : null;
    }
  }

  private static VelocityEngine engine(boolean asVersion1) {
    VelocityEngine engine = new VelocityEngine();
    engine.setProperty("parser.allow_hyphen_in_identifiers", true); // a header's name has hyphens; version 1 allows them
    engine.setProperty("event_handler.invalid_references.null", true); // a member of $context that is not there is null
    engine.setProperty("introspector.uberspect.class", "org.apache.velocity.util.introspection.SecureUberspector");
    if (asVersion1) {
      engine.setProperty("directive.if.empty_check", false);
      engine.setProperty("parser.space_gobbling", "bc");
    }
    engine.init();
    return engine;
  }

  private static Map<String, Object> overrides(String... names) {
    Map<String, Object> maps = new LinkedHashMap<>();
    for (String name : names) {
      maps.put(name, new LinkedHashMap<String, Object>());
    }
    return maps;
  }

  private static Map<String, Object> texts(Object map) {
    Map<String, Object> texts = new LinkedHashMap<>();
    ((Map<?, ?>) map).forEach((name, value) -> texts.put(name.toString(), String.valueOf(value)));
    return texts;
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> render(VelocityEngine engine, Map<String, Object> request) {
    String body = new String(Base64.getDecoder().decode((String) request.get("Body")), UTF_8);
    Map<String, Object> context = (Map<String, Object>) request.get("Context");
    Map<String, Object> sent = overrides("header", "path", "querystring");
    Map<String, Object> answered = overrides("header");
    context.put("requestOverride", sent);
    context.put("responseOverride", answered);

    VelocityContext variables = new VelocityContext();
    variables.put("input", new Input(body, request));
    variables.put("util", new Util());
    variables.put("context", context);
    variables.put("stageVariables", request.get("StageVariables"));
    EventCartridge events = new EventCartridge();
    events.addEventHandler(new Nothing());
    events.attachToContext(variables);
    StringWriter text = new StringWriter();
    engine.evaluate(variables, text, (String) request.get("Name"), (String) request.get("Template"));

    Map<String, Object> result = new LinkedHashMap<>();
    result.put("Text", text.toString());
    result.put("Status", answered.getOrDefault("status", 0));
    result.put("Headers", texts(answered.get("header")));
    result.put("Request", Map.of(
        "headers", texts(sent.get("header")), "path", texts(sent.get("path")), "query", texts(sent.get("querystring"))));
    return result;
  }

  @SuppressWarnings("unchecked")
  public static void main(String[] args) throws Exception {
    VelocityEngine version2 = engine(false);
    VelocityEngine version1 = engine(true);
    PrintStream out = new PrintStream(System.out, true, UTF_8);
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      Map<String, Object> request = (Map<String, Object>) JSONValue.parse(line);
      Map<String, Object> answer;
      try {
        answer = render((boolean) request.get("AsVersion1") ? version1 : version2, request);
      } catch (RuntimeException e) { // from a template, or from what it calls
        Throwable cause = e.getCause() == null ? e : e.getCause();
        answer = Map.of("Error", e.toString(), "Body", cause instanceof InvalidJsonException);
      }
      out.println(JSONObject.toJSONString(answer, JSONStyle.NO_COMPRESS));
    }
  }
}
